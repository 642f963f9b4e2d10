import { HttpError } from '../../errors.ts';

/** No token at all: RFC 6750 section 3 asks for a challenge without an error then. */
export const noToken = (): HttpError =>
  new HttpError(
    401,
    'unauthenticated',
    "Sign in: send the header Authorization: Bearer, with a token of an issuer that this server's policy names. " +
      '(Temporal\'s CLI sends it from --codec-auth "Bearer …", its Web UI when it passes access tokens.)',
    { challenge: 'Bearer', loggable: true },
  );

/** @param why goes on after "The token is refused: "; nothing of the token itself */
export const invalidToken = (why: string, cause?: unknown): HttpError =>
  new HttpError(401, 'unauthenticated', `The token is refused: ${why}.`, {
    challenge: `Bearer error="invalid_token", error_description="${why}"`,
    cause,
    loggable: true,
  });

/** RFC 6750 section 3.1: the request itself is wrong, whatever the token. */
export const malformedRequest = (): HttpError =>
  new HttpError(
    400,
    'bad_request',
    'The header Authorization must stand once and be "Bearer", a space and one token.',
    { challenge: 'Bearer error="invalid_request"', loggable: true },
  );

/** Not the token's fault, and nothing is known of it: no error in the challenge, so that nobody throws it away. */
export const providerDown = (cause: unknown): HttpError =>
  new HttpError(
    401,
    'unauthenticated',
    "The token can't be checked: its issuer's keys can't be had just now. Try again shortly.",
    { challenge: 'Bearer', cause, loggable: true },
  );
