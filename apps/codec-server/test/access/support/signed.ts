import { generateKeyPairSync, sign } from 'node:crypto';
import type { IssuerKeys } from '../../../src/access/issuer-keys.ts';
import { type Issuer, issuer } from '../../../src/access/policy.ts';
import { type VerifiedToken, verifier } from '../../../src/access/tokens.ts';

/** The server's time in seconds since 1970. */
export const NOW = 1_800_000_000;

const of = (tokens: string): Issuer =>
  issuer.parse({
    type: 'oidc',
    issuer: 'https://login.example.com/',
    audience: ['codec', 'dashboard'],
    tokens,
  });

/** Issuers by the kind of token that the policy accepts. */
export const issuers: Readonly<Record<string, Issuer>> = {
  access: of('access'),
  'access-untyped': of('access-untyped'),
  id: of('id'),
  assertion: issuer.parse({ type: 'iap', audience: 'codec' }),
  'Temporal Cloud': issuer.parse({ type: 'temporal-cloud', audience: 'codec' }),
};
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** Changes to a valid token before it is signed. */
export interface Changes {
  readonly header?: Record<string, unknown>;
  readonly claims?: Record<string, unknown>;
  readonly headJson?: (text: string) => string;
  readonly json?: (text: string) => string;
  /** Changes the header and claims after they are encoded. */
  readonly input?: (text: string) => string;
}

const asItIs = (text: string): string => text;
const encoded = (text: string): string => Buffer.from(text).toString('base64url');
const keysOf = ({ algorithms }: Issuer) => (algorithms.includes('RS256') ? rsa : ec);

/**
 * Returns a token from an issuer that is valid except for the changes. Signs the token itself, because a token
 * library would refuse to create invalid tokens.
 */
export function tokenOf(
  name: string,
  { header = {}, claims = {}, headJson = asItIs, json = asItIs, input = asItIs }: Changes = {},
): string {
  const from = issuers[name]!;
  const { privateKey } = keysOf(from);
  const payload = { iss: from.issuer, aud: 'codec', sub: 'ana', iat: NOW - 60, exp: NOW + 600, ...claims };
  const written = JSON.stringify({
    alg: privateKey === rsa.privateKey ? 'RS256' : 'ES256',
    typ: from.tokens === 'access' ? 'at+jwt' : 'JWT',
    ...header,
  });
  const signed = input([headJson(written), json(JSON.stringify(payload))].map(encoded).join('.'));
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

/** Verifies a token as the server does for an issuer. @param find finds the key that signed the token */
export function verify(
  name: string,
  token: string,
  find: IssuerKeys['find'] = () => keysOf(issuers[name]!).publicKey,
): Promise<VerifiedToken> {
  return verifier(issuers[name]!, { find }, () => NOW * 1_000)(token);
}
