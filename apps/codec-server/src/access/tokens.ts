import { hash } from 'node:crypto';
import { decodeJwt } from 'jose';
import { LRUCache } from 'lru-cache';
import { HttpError } from '../errors.ts';
import type { Credentials } from './access.ts';

/** Bytes. A token with several hundred group ids is below 12 KiB. */
const MAX_TOKEN = 16 * 1024;

/**
 * Returns the token of the header `Authorization`. Tokens in URLs do not count, because URLs are logged (RFC 6750
 * section 5.3).
 * @throws HttpError 401 without a token, 400 when the header is malformed or repeated
 */
export function bearerToken(request: Credentials): string {
  const header = request.header('authorization');
  const token = /^bearer +([\w.~+/-]+=*)$/i.exec(header ?? '')?.[1];
  if (token !== undefined) return checkLength(token);
  throw header !== undefined && /^bearer(?: |$)/i.test(header) ? malformedRequest() : noToken();
}

/** Returns the signed header that Google's Identity-Aware Proxy adds to requests, if the request has it. */
export function iapAssertion(request: Credentials): string | undefined {
  const header = request.header('x-goog-iap-jwt-assertion');
  return header === undefined ? undefined : checkLength(header);
}

function checkLength(token: string): string {
  if (token.length > MAX_TOKEN) throw invalidToken(`it is longer than ${MAX_TOKEN} bytes`);
  return token;
}

/** Returns the issuer that a token claims, before verification. Use it only to choose the keys to verify the token with. */
export function claimedIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch (error) {
    throw invalidToken(UNREADABLE, error);
  }
}

export const UNREADABLE = 'it is not a readable signed JWT';

/** Without a token, RFC 6750 section 3 asks for a challenge without an error. */
const noToken = (): HttpError =>
  new HttpError(
    401,
    'unauthenticated',
    'Sign in: send the header Authorization: Bearer with a token of an issuer that the policy of this server names. ' +
      '(Temporal\'s CLI sends it with --codec-auth "Bearer …", its Web UI when it passes access tokens.)',
    { challenge: 'Bearer', loggable: true },
  );

/** @param why completes "The token is refused: …"; it contains nothing of the token itself */
export const invalidToken = (why: string, cause?: unknown): HttpError =>
  new HttpError(401, 'unauthenticated', `The token is refused: ${why}.`, {
    challenge: `Bearer error="invalid_token", error_description="${why}"`,
    cause,
    loggable: true,
  });

/** RFC 6750 section 3.1: the request itself is malformed, whatever the token. */
const malformedRequest = (): HttpError =>
  new HttpError(
    400,
    'bad_request',
    'Send the header Authorization once, with "Bearer", a space and one token.',
    { challenge: 'Bearer error="invalid_request"', loggable: true },
  );

/** The challenge has no error, so that clients keep a token that may be valid. */
export const keysUnavailable = (cause: unknown): HttpError =>
  new HttpError(
    401,
    'unauthenticated',
    "The token cannot be verified, because its issuer's keys are unavailable. Try again later.",
    { challenge: 'Bearer', cause, loggable: true },
  );

const CACHE_MS = 60_000;
const MAX_TOKENS = 10_000;

interface Expires {
  /** Milliseconds since 1970. */
  readonly expiresAt?: number;
}

/**
 * Caches what verified tokens lead to (a caller and their grants) for a minute, but not past the token's expiry. The keys
 * are SHA-256 digests, so a heap dump contains no token whose request has ended. An expired entry stays until it is
 * replaced or evicted.
 */
export class TokenCache<T extends Expires> {
  readonly #entries: LRUCache<string, { readonly value: T; readonly until: number }>;
  readonly #now: () => number;

  constructor(now: () => number, max = MAX_TOKENS) {
    // The cache's own ttl reads a clock that tests cannot set, and counts the last millisecond.
    this.#entries = new LRUCache({ max });
    this.#now = now;
  }

  /** Returns the cached value, or what `verify` resolves to. Rejections are not cached. */
  get(token: string, verify: (token: string) => Promise<T>): T | Promise<T> {
    const id = hash('sha256', token, 'base64');
    const known = this.#entries.get(id);
    return known && this.#now() < known.until ? known.value : this.#add(id, token, verify);
  }

  async #add(id: string, token: string, verify: (token: string) => Promise<T>): Promise<T> {
    const value = await verify(token);
    const until = Math.min(this.#now() + CACHE_MS, value.expiresAt ?? Infinity);
    this.#entries.set(id, { value, until });
    return value;
  }
}
