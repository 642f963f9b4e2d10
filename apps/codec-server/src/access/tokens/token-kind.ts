import type { JWTPayload } from 'jose';
import type { Issuer } from '../policy/issuer.ts';

/**
 * Types (`typ`) that an issuer's tokens can have, by the kind that the policy names. Everything else is refused:
 * logout tokens, DPoP proofs, security events, and what future specifications add.
 */
const types: Readonly<Record<Issuer['tokens'], readonly unknown[]>> = {
  // RFC 9068 section 4: a type that no ID token has.
  access: ['at+jwt'],
  'access-untyped': [undefined, 'jwt', 'at+jwt'],
  id: [undefined, 'jwt'],
  assertion: [undefined, 'jwt'],
};

/** Claims in which Keycloak (`typ`) and Cognito (`token_use`) write what a token is; in lower case. */
const ownWords = ['typ', 'token_use'];
const accessWords: readonly unknown[] = ['bearer', 'access'];
const idWords: readonly unknown[] = ['id'];

/** OpenID Connect Core 1.0, sections 2 and 3.3.2.11. */
const idOnly = ['nonce', 'at_hash', 'c_hash'];
/** RFC 9068 section 2.2.3, and Entra's name for it. */
const accessOnly = ['scope', 'scp'];

const idTokenNotTaken = 'it is an ID token, and of this issuer access tokens are taken';
const accessTokenNotTaken = 'it is an access token, and of this issuer ID tokens are taken';

/**
 * Returns why a checked token is not of the kind that the policy names, or undefined. An ID token was issued to a
 * client and an access token to a server, and neither is accepted as the other.
 */
export function wrongKind(
  { tokens, audience }: Issuer,
  header: Readonly<Record<string, unknown>>,
  claims: JWTPayload,
): string | undefined {
  const type = typeof header['typ'] === 'string' ? normalised(header['typ']) : header['typ'];
  if (!types[tokens].includes(type)) {
    if (tokens === 'access') return 'its type is not at+jwt (an access token)';
    return type === 'at+jwt' ? accessTokenNotTaken : 'its type is not that of a token for signing in';
  }
  // RFC 7519 section 5.2.
  if ('cty' in header) return 'it holds another token';
  // RFC 8417 section 2.2, and OpenID Connect Back-Channel Logout 1.0: what happened, and no right to anything.
  if ('events' in claims) return 'it is a logout token or another security event';
  // RFC 7800: without the key that it is bound to, a stolen one must be worth nothing.
  if ('cnf' in claims)
    return 'it is bound to a key of its holder (DPoP or mutual TLS), which this server does not check';
  const words = tokens === 'id' ? idWords : accessWords;
  if (
    tokens !== 'assertion' &&
    ownWords.some((claim) => claim in claims && !words.includes(lower(claims[claim])))
  ) {
    return tokens === 'id' ? accessTokenNotTaken : idTokenNotTaken;
  }
  if (tokens === 'access-untyped' && idOnly.some((claim) => claim in claims)) return idTokenNotTaken;
  if (tokens !== 'id') return undefined;
  if (accessOnly.some((claim) => claim in claims)) return accessTokenNotTaken;
  // OpenID Connect Core 1.0, section 3.1.3.7, points 4 and 5.
  const party = claims['azp'];
  const several = Array.isArray(claims.aud) && claims.aud.length > 1;
  if (party === undefined ? several : !audience.some((client) => client === party)) {
    return 'it was made for another client (azp)';
  }
  return undefined;
}

/** RFC 7515 section 4.1.9: `application/` may be left out, and case does not matter. */
const normalised = (type: string): string => type.toLowerCase().replace(/^application\//, '');

const lower = (value: unknown): unknown => (typeof value === 'string' ? value.toLowerCase() : value);
