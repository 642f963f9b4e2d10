import { hash } from 'node:crypto';
import { JsonScanner } from '@temporal-kms/histories/json-scanner';
import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { HttpError } from '../errors.ts';
import type { Credentials } from './access.ts';
import { type IssuerKeys, KeysUnavailable } from './issuer-keys.ts';
import type { Issuer } from './policy.ts';

/** Maximum size in bytes. A token with several hundred group ids is smaller than 12 KiB. */
const MAX_TOKEN = 16 * 1024;

/**
 * Returns the token in the header `Authorization`. Ignores tokens in URLs, because URLs are logged (RFC 6750
 * section 5.3).
 * @throws HttpError 401 if there is no token, 400 if the header is malformed or repeated
 */
export function bearerToken(request: Credentials): string {
  const header = request.header('authorization') ?? '';
  const token = /^bearer +([\w.~+/-]+=*)$/i.exec(header)?.[1];
  if (token !== undefined) return checkLength(token);
  throw /^bearer(?: |$)/i.test(header) ? malformedRequest() : noToken();
}

/**
 * Returns the signed header that Google's Identity-Aware Proxy adds to requests, or undefined if the request
 * lacks it.
 */
export function iapAssertion(request: Credentials): string | undefined {
  const header = request.header('x-goog-iap-jwt-assertion');
  return header === undefined ? undefined : checkLength(header);
}

function checkLength(token: string): string {
  if (token.length > MAX_TOKEN) throw invalidToken(`it is longer than ${MAX_TOKEN} bytes`);
  return token;
}

/**
 * Returns the issuer that a token claims, without verification. Use the result only to choose the keys for
 * the verification.
 */
export function claimedIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch (error) {
    throw invalidToken(UNREADABLE, error);
  }
}

const UNREADABLE = 'it is not a readable signed JWT';

/** If there is no token, RFC 6750 section 3 requires a challenge without an error. */
const noToken = (): HttpError =>
  new HttpError(
    401,
    'unauthenticated',
    "Sign in: send the header Authorization: Bearer with a token from an issuer in this server's policy. " +
      '(Temporal\'s CLI sends the header with --codec-auth "Bearer …"; Temporal\'s Web UI does so if it passes ' +
      'access tokens.)',
    { challenge: 'Bearer', loggable: true },
  );

/** @param why completes "The token is refused: …"; must not contain any part of the token */
export const invalidToken = (why: string, cause?: unknown): HttpError =>
  new HttpError(401, 'unauthenticated', `The token is refused: ${why}.`, {
    challenge: `Bearer error="invalid_token", error_description="${why}"`,
    cause,
    loggable: true,
  });

/** RFC 6750 section 3.1: the request is malformed, whether or not the token is valid. */
const malformedRequest = (): HttpError =>
  new HttpError(
    400,
    'bad_request',
    'Send the header Authorization once, with "Bearer", a space and one token.',
    { challenge: 'Bearer error="invalid_request"', loggable: true },
  );

/** The challenge contains no error, so that clients keep a token that may be valid. */
const keysUnavailable = (cause: unknown): HttpError =>
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
 * Caches the caller and the grants of a verified token for a minute, but not past the token's expiry. The
 * cache's keys are SHA-256 digests, so that a heap dump contains no token whose request has ended. An expired
 * entry stays until it is replaced or evicted.
 */
export class TokenCache<T extends Expires> {
  readonly #entries: LRUCache<string, { readonly value: T; readonly until: number }>;
  readonly #now: () => number;

  constructor(now: () => number, max = MAX_TOKENS) {
    // Does not use lru-cache's `ttl`: tests cannot set its clock, and it keeps entries a millisecond too
    // long.
    this.#entries = new LRUCache({ max });
    this.#now = now;
  }

  /** Returns the cached value, or calls `verify` and caches the result. Does not cache rejections. */
  get(token: string, verify: (token: string) => Promise<T>): T | Promise<T> {
    const id = hash('sha256', token);
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

/** A token that passed every check. */
export interface VerifiedToken {
  readonly claims: JWTPayload & { readonly sub: string };
  /**
   * The time at which the token expires (`exp`) or becomes too old, whichever is first, in whole milliseconds
   * since 1970.
   */
  readonly expiresAt: number;
}

/** @throws HttpError 401 */
export type VerifyToken = (token: string) => Promise<VerifiedToken>;

/**
 * Returns a function that verifies an issuer's tokens: their signature, algorithm, issuer, audience, times
 * and kind.
 */
export function verifier(issuer: Issuer, keys: Pick<IssuerKeys, 'find'>, now: () => number): VerifyToken {
  return async (token) => {
    // Checks the form of the token, because jose ignores white space in base64.
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw invalidToken(UNREADABLE);
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys.find, {
        issuer: issuer.issuer,
        audience: [...issuer.audience],
        algorithms: [...issuer.algorithms],
        clockTolerance: issuer.clockSkewSeconds,
        // Makes jose also reject an `iat` in the future.
        maxTokenAge: issuer.maxAgeSeconds,
        requiredClaims: ['exp', 'iat', 'sub'],
        currentDate: new Date(now()),
      });
      const { sub, exp, iat } = payload;
      if (typeof sub !== 'string' || sub === '' || exp === undefined || iat === undefined)
        throw invalidToken('it has no subject (sub)');
      if (!isUnambiguous(token)) throw invalidToken('it contains a name twice, or is nested too deeply');
      const wrong = wrongKind(issuer, protectedHeader, payload);
      if (wrong !== undefined) throw invalidToken(wrong);
      // RFC 7519 section 2: seconds may have fractions.
      const expiresAt = Math.floor(Math.min(exp, iat + issuer.maxAgeSeconds) * 1_000);
      return { claims: { ...payload, sub }, expiresAt };
    } catch (error) {
      if (error instanceof KeysUnavailable) throw keysUnavailable(error);
      if (error instanceof errors.JOSEError) throw invalidToken(describe(error, issuer, now()), error);
      // jose and Node throw these errors if the published key is too short or malformed.
      if (error instanceof TypeError || error instanceof DOMException)
        throw invalidToken(UNUSABLE_KEY, error);
      throw error;
    }
  };
}

const UNUSABLE_KEY = 'the signing key that its issuer publishes is unusable';

function describe(error: errors.JOSEError, issuer: Issuer, now: number): string {
  if (error instanceof errors.JWTExpired) {
    return error.claim === 'iat' ? 'it is too old; sign in again' : 'it has expired; sign in again';
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return 'it is for another server (aud)';
    if (error.claim === 'nbf' || error.claim === 'iat') return notValidYet(error, issuer, now);
    return `its claim ${error.claim} is missing or wrong`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'its algorithm is not accepted';
  if (error instanceof errors.JWKSNoMatchingKey) return 'it names a key that its issuer does not have';
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'it does not name the key that signed it';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is wrong';
  return UNREADABLE;
}

function notValidYet(
  { claim, reason, payload }: errors.JWTClaimValidationFailed,
  { clockSkewSeconds }: Issuer,
  now: number,
): string {
  // Rounds like jose, so that the result is always greater than the tolerated difference.
  const ahead = Math.ceil(Number(payload[claim]) - Math.floor(now / 1_000));
  if (reason !== 'check_failed' || !Number.isSafeInteger(ahead))
    return `its claim ${claim} is missing or wrong`;
  return (
    `it is not valid yet: its claim ${claim} is ${ahead} s ahead of the clock of this server, which tolerates ` +
    `${clockSkewSeconds} s; compare the clocks of the server and the issuer`
  );
}

/** Maximum nesting of objects and arrays in a header or in claims. */
const MAX_DEPTH = 64;

/**
 * Returns false if an object in the header or the claims contains a name twice. If a name occurs twice,
 * parsers disagree about which value counts, so the issuer and this server could read different claims (RFC
 * 7519 section 4).
 */
function isUnambiguous(token: string): boolean {
  return token.split('.', 2).every((part) => {
    const text = Buffer.from(part, 'base64url').toString();
    let names = 0;
    const isJson = new JsonScanner(text, MAX_DEPTH).scan((place) => {
      if (place === 'key') names += 1;
    });
    // `JSON.parse` keeps only one of two members with the same name.
    return isJson && names === countNames(JSON.parse(text));
  });
}

const countNames = (value: unknown): number =>
  typeof value === 'object' && value !== null
    ? Object.values(value).reduce(
        (sum: number, item) => sum + countNames(item),
        Array.isArray(value) ? 0 : Object.keys(value).length,
      )
    : 0;

/**
 * The accepted types (`typ`) of an issuer's tokens, for each kind of token in the policy. All other types are
 * refused: logout tokens, DPoP proofs, security events, and any type that future specifications add.
 */
const types: Readonly<Record<Issuer['tokens'], readonly unknown[]>> = {
  // RFC 9068 section 4: ID tokens never have this type.
  access: ['at+jwt'],
  'access-untyped': [undefined, 'jwt', 'at+jwt'],
  id: [undefined, 'jwt'],
  assertion: [undefined, 'jwt'],
};

/**
 * The claims that contain a token's kind in Keycloak (`typ`) and Cognito (`token_use`), with the expected
 * values in lower case.
 */
const kindClaims = ['typ', 'token_use'];
const accessKinds: readonly unknown[] = ['bearer', 'access'];
const idKinds: readonly unknown[] = ['id'];

/** Claims found only in ID tokens: OpenID Connect Core 1.0, sections 2 and 3.3.2.11. */
const idOnly = ['nonce', 'at_hash', 'c_hash'];
/** The claim found only in access tokens: `scope` (RFC 9068 section 2.2.3), which Entra calls `scp`. */
const accessOnly = ['scope', 'scp'];

const IS_ID_TOKEN = 'it is an ID token, but this server accepts only access tokens of its issuer';
const IS_ACCESS_TOKEN = 'it is an access token, but this server accepts only ID tokens of its issuer';

/**
 * Returns why a verified token is not of the kind that the policy accepts, or undefined if it is. An ID token
 * is meant for a client and an access token for a server, so neither is accepted in place of the other.
 */
function wrongKind(
  { tokens, audience }: Issuer,
  header: Readonly<Record<string, unknown>>,
  claims: JWTPayload,
): string | undefined {
  const type = typeof header['typ'] === 'string' ? normalized(header['typ']) : header['typ'];
  if (!types[tokens].includes(type)) {
    if (tokens === 'access') return 'its type is not at+jwt (an access token)';
    return type === 'at+jwt' ? IS_ACCESS_TOKEN : 'its type is not that of a sign-in token';
  }
  // RFC 7519 section 5.2: `cty` marks a token that contains another token.
  if ('cty' in header) return 'it contains another token';
  // RFC 8417 section 2.2, and OpenID Connect Back-Channel Logout 1.0: such a token reports an event and
  // grants nothing.
  if ('events' in claims) return 'it is a logout token or another security event';
  // RFC 7800: the token may only be used by the holder of a key, which this server cannot check.
  if ('cnf' in claims)
    return "it is bound to its holder's key (DPoP or mutual TLS), which this server cannot check";
  const kinds = tokens === 'id' ? idKinds : accessKinds;
  if (
    tokens !== 'assertion' &&
    kindClaims.some((claim) => claim in claims && !kinds.includes(lower(claims[claim])))
  ) {
    return tokens === 'id' ? IS_ACCESS_TOKEN : IS_ID_TOKEN;
  }
  if (tokens === 'access-untyped' && idOnly.some((claim) => claim in claims)) return IS_ID_TOKEN;
  if (tokens !== 'id') return undefined;
  if (accessOnly.some((claim) => claim in claims)) return IS_ACCESS_TOKEN;
  // OpenID Connect Core 1.0, section 3.1.3.7, points 4 and 5.
  const party = claims['azp'];
  const hasSeveral = Array.isArray(claims.aud) && claims.aud.length > 1;
  if (party === undefined ? hasSeveral : !audience.some((client) => client === party)) {
    return 'it was issued to another client (azp)';
  }
  return undefined;
}

/** RFC 7515 section 4.1.9: the prefix `application/` is optional, and case does not matter. */
const normalized = (type: string): string => type.toLowerCase().replace(/^application\//, '');

const lower = (value: unknown): unknown => (typeof value === 'string' ? value.toLowerCase() : value);
