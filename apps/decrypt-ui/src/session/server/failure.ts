import type { ApiErrorCode } from '@temporal-kms/codec-api';

/**
 * The error codes of the server, plus `unreachable` (no response) and `unexpected` (a response that breaks the
 * contract).
 */
export type FailureCode = ApiErrorCode | 'unreachable' | 'unexpected';

/** A failed request. `message` is for the user; `code` decides what the page does. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * A request that timed out. The user has already waited a long time, so the page does not repeat the request at once.
 */
export class NoAnswer extends ApiFailure {
  constructor(what: string, millis: number) {
    super('unreachable', `${what} did not answer within ${millis / 1000} seconds.`);
  }
}

export const unexpectedAnswer = (cause?: unknown) =>
  new ApiFailure(
    'unexpected',
    'The codec server’s answer does not match this page’s API. Deploy the same version of the page and the server.',
    { cause },
  );

export const connectionBroke = (cause?: unknown) =>
  new ApiFailure('unreachable', 'The connection to the codec server broke.', { cause });

/** Converts an error to an `ApiFailure`, keeping the message of an unexpected error. */
export const failureOf = (error: unknown): ApiFailure =>
  error instanceof ApiFailure ? error : new ApiFailure('unexpected', String(error));

export const isAbort = (error: unknown) => error instanceof DOMException && error.name === 'AbortError';

export const failureCode = (error: unknown): FailureCode =>
  error instanceof ApiFailure ? error.code : 'unexpected';

/** Codes of failures that persist when the request is repeated. */
const final: ReadonlySet<FailureCode> = new Set([
  'bad_request',
  'invalid_query',
  'unauthenticated',
  'forbidden',
  'justification_required',
  'not_found',
  'namespace_required',
  'too_large',
  'unsupported_media_type',
]);

/** Returns whether a failure persists when the request is repeated. */
export const isFinal = (error: unknown) => error instanceof ApiFailure && final.has(error.code);
