import { errors, type JWTPayload, jwtVerify } from 'jose';
import type { Issuer } from '../policy/issuer.ts';
import { ProviderUnavailable, type ProviderKeys } from './provider-keys.ts';
import { wrongKind } from './token-kind.ts';
import { invalidToken, providerDown } from './unauthenticated.ts';
import { isUnambiguous } from './unambiguous.ts';

/** A token that was checked in every respect. */
export interface Verified {
  readonly claims: JWTPayload & { readonly sub: string };
  /** Milliseconds since 1970, whole ones: its `exp`, or when it becomes too old where that comes first. */
  readonly expiresAt: number;
}

/** @throws HttpError 401 */
export type Verify = (token: string) => Promise<Verified>;

/** Checks an issuer's tokens: signature, algorithm, issuer, audience, times, and that they are of the kind that is taken. */
export function verifier(issuer: Issuer, keys: Pick<ProviderKeys, 'find'>, now: () => number): Verify {
  return async (token) => {
    // jose reads past white space at the end of base64.
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw invalidToken(UNREADABLE);
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys.find, {
        issuer: issuer.issuer,
        audience: [...issuer.audience],
        algorithms: [...issuer.algorithms],
        clockTolerance: issuer.clockSkewSeconds,
        // Also refuses an `iat` in the future.
        maxTokenAge: issuer.maxAgeSeconds,
        requiredClaims: ['exp', 'iat', 'sub'],
        currentDate: new Date(now()),
      });
      const { sub, exp, iat } = payload;
      if (typeof sub !== 'string' || sub === '' || exp === undefined || iat === undefined)
        throw invalidToken('it names nobody');
      if (!isUnambiguous(token)) throw invalidToken('it has two values for one name');
      const wrong = wrongKind(issuer, protectedHeader, payload);
      if (wrong !== undefined) throw invalidToken(wrong);
      // RFC 7519 section 2: seconds may have fractions.
      const expiresAt = Math.floor(Math.min(exp, iat + issuer.maxAgeSeconds) * 1_000);
      return { claims: { ...payload, sub }, expiresAt };
    } catch (error) {
      if (error instanceof ProviderUnavailable) throw providerDown(error);
      if (error instanceof errors.JOSEError) throw invalidToken(describe(error), error);
      // What jose and Node say of a published key that is too short, or none at all.
      if (error instanceof TypeError || error instanceof DOMException)
        throw invalidToken(UNUSABLE_KEY, error);
      throw error;
    }
  };
}

const UNREADABLE = 'it is not a signed JWT that can be read';
const UNUSABLE_KEY = 'its issuer publishes a key for it that can not be used';

function describe(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) {
    return error.claim === 'iat'
      ? 'it was made too long ago; sign in again'
      : 'it has expired; sign in again';
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return 'it was made for another server (aud)';
    if (error.claim === 'nbf' || error.claim === 'iat') return 'it is not valid yet';
    return `its claim ${error.claim} is missing or wrong`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'its algorithm is not one that is taken';
  if (error instanceof errors.JWKSNoMatchingKey) return 'it names a key that its issuer does not have';
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'it does not say which key it is signed with';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is wrong';
  return UNREADABLE;
}
