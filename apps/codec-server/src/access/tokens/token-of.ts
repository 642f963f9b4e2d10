import { decodeJwt } from 'jose';
import type { Credentials } from '../access.ts';
import { invalidToken, malformedRequest, noToken } from './unauthenticated.ts';

/** Bytes. A token that carries several hundred group ids is below 12 KiB. */
const MAX_TOKEN = 16 * 1024;

/**
 * The token of a request. Only the header `Authorization` counts: tokens in URLs end up in logs (RFC 6750 section 5.3).
 * @throws HttpError 401 without one, 400 when the header is malformed or stands twice
 */
export function bearerToken(request: Credentials): string {
  const header = request.header('authorization');
  const token = /^bearer +([\w.~+/-]+=*)$/i.exec(header ?? '')?.[1];
  if (token !== undefined) return notTooLong(token);
  throw header !== undefined && /^bearer(?: |$)/i.test(header) ? malformedRequest() : noToken();
}

/** What Google's Identity-Aware Proxy says of a request that it has let through. */
export function iapAssertion(request: Credentials): string | undefined {
  const header = request.header('x-goog-iap-jwt-assertion');
  return header === undefined ? undefined : notTooLong(header);
}

function notTooLong(token: string): string {
  if (token.length > MAX_TOKEN) throw invalidToken(`it is longer than ${MAX_TOKEN} bytes`);
  return token;
}

/** Who a token claims to come from: read to find whose keys to check it with, and for nothing else. */
export function claimedIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch (error) {
    throw invalidToken('it is not a signed JWT that can be read', error);
  }
}
