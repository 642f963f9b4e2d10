import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { Caller } from '../../src/access/access.ts';
import { HttpError } from '../../src/errors.ts';
import { parsePolicy } from '../../src/access/policy.ts';
import { policyAccess } from '../../src/access/policy-access.ts';

/*
 * If the input's first byte is even, the rest is the value of the `Authorization` header. Otherwise, the rest
 * is the header and the claims of a token, separated by a line feed, and an issuer in the policy signs the
 * token. The server accepts only signed tokens, and only with the algorithm, issuer, audience, subject, times
 * and kind that the policy requires. The caller's permissions follow from the claims.
 */

const NOW = 1_800_000_000;
const SKEW = 30;
const MAX_AGE = 3_600;

// The example key of RFC 8410, section 10.3.
const privateKey = createPrivateKey(
  '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n',
);
const publicKey = createPublicKey(privateKey);

const kinds = ['access', 'access-untyped', 'id'] as const;
const policy = parsePolicy(
  JSON.stringify({
    issuers: Object.fromEntries(
      kinds.map((tokens) => {
        const issuer = { type: 'oidc', issuer: `https://${tokens}.example.com`, audience: 'codec', tokens };
        return [tokens, { ...issuer, maxAgeHours: 1 }];
      }),
    ),
    rules: [
      { issuer: 'access', match: { groups: 'support' }, namespaces: ['payments'], permissions: ['decode'] },
    ],
  }) + '\n...\n',
);
const keys = { warm: () => Promise.resolve(), find: () => publicKey };
const access = policyAccess(policy, { now: () => NOW * 1_000, keysOf: () => keys });

const signed = (head: Uint8Array, claims: Uint8Array): string => {
  const input = [head, claims].map((part) => Buffer.from(part).toString('base64url')).join('.');
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
};

export const reaches = [
  'accepted access decode',
  'accepted access',
  'accepted access-untyped',
  'accepted id',
  ...[
    'it is not a readable signed JWT',
    'its signature is wrong',
    'its algorithm is not accepted',
    'it is for another server (aud)',
    'it has expired; sign in again',
    'it is too old; sign in again',
    'it contains a name twice, or is nested too deeply',
    "the policy does not list the token's issuer",
    'its type is not at+jwt (an access token)',
  ].map((why) => `The token is refused: ${why}.`),
];

const usual = { aud: 'codec', sub: 'ana', iat: NOW - 60, exp: NOW + 600 };
const changes = [
  {},
  { groups: ['support'] },
  { aud: ['codec', 'other'], azp: 'codec', nbf: NOW },
  { aud: 'other' },
  { exp: NOW - 600 },
  { iat: NOW - 7_200 },
  { nonce: 'a', at_hash: 'b' },
  { scope: 'a b', email: 'ana@example.com', email_verified: true },
  { events: {}, cnf: {} },
  { typ: 'Bearer', token_use: 'access' },
  { iss: 'https://other.example.com' },
];
const heads = [{ alg: 'EdDSA', typ: 'at+jwt' }, { alg: 'Ed25519' }, { alg: 'HS256', typ: 'JWT' }];
const parts = kinds.flatMap((kind) =>
  heads.flatMap((head) =>
    changes.map((change) => {
      const claims = { iss: `https://${kind}.example.com`, ...usual, ...change };
      return [JSON.stringify(head), JSON.stringify(claims)] as const;
    }),
  ),
);
/** Tokens that an attacker has seen. */
const seen = parts.slice(0, 12).map(([head, claims]) => signed(Buffer.from(head), Buffer.from(claims)));
const seenInputs = new Set(seen.map((token) => token.slice(0, token.lastIndexOf('.'))));

export const seeds = (): Uint8Array[] => [
  ...parts.map(([head, claims]) => Buffer.from(`\u0001${head}\n${claims}`)),
  Buffer.from(`\u0001${parts[0]![0]}\n${parts[0]![1].replace('{', '{"sub":"eve",')}`),
  ...['', 'Basic YTpi', 'Bearer ', ...seen.map((token) => `Bearer ${token}`)].map((header) =>
    Buffer.from(`\0${header}`),
  ),
];

export async function fuzz(data: Uint8Array): Promise<string> {
  const content = Buffer.from(data.subarray(1));
  if ((data[0] ?? 0) % 2 === 0)
    return outcomeOf(content.toString('latin1'), (input) => seenInputs.has(input));
  const end = Math.max(content.indexOf('\n'), 0);
  const token = signed(content.subarray(0, end), content.subarray(end + 1));
  return outcomeOf(`Bearer ${token}`, () => true);
}

async function outcomeOf(header: string, isSigned: (input: string) => boolean): Promise<string> {
  try {
    const request = { header: (name: string) => (name === 'authorization' ? header : undefined) };
    const caller = await access.authenticate(request);
    const [head = '', claims = ''] = header.replace(/^bearer +/i, '').split('.');
    assert(isSigned(`${head}.${claims}`), 'accepted a token that the issuer has not signed');
    const kind = checkedKind(fromBase64(head), fromBase64(claims), caller);
    return `accepted ${kind}${access.allows(caller, 'decode', 'payments') ? ' decode' : ''}`;
  } catch (error) {
    if (error instanceof HttpError && [400, 401].includes(error.status)) return error.message;
    throw error;
  }
}

const fromBase64 = (part: string): any => JSON.parse(Buffer.from(part, 'base64url').toString());

/** Checks an accepted token against the policy, as the specifications require. Returns the issuer's kind. */
function checkedKind(head: any, claims: any, caller: Caller): string {
  assert(['EdDSA', 'Ed25519'].includes(head.alg));
  assert([claims.aud].flat().includes('codec'));
  assert(typeof claims.sub === 'string' && claims.sub !== '');
  assert.equal(caller.subject, claims.sub);
  assert(claims.exp > NOW - SKEW && claims.iat <= NOW + SKEW && claims.iat >= NOW - MAX_AGE - SKEW);
  assert(claims.nbf === undefined || claims.nbf <= NOW + SKEW);
  assert(caller.expiresAt! <= Math.min(claims.exp, claims.iat + MAX_AGE) * 1_000);
  assert(!('events' in claims) && !('cnf' in claims) && !('cty' in head) && !('crit' in head));
  const issuer = Object.values(policy.issuers).find((one) => one.issuer === claims.iss);
  assert(issuer);
  const isAccessToken = /^(application\/)?at\+jwt$/i.test(head.typ);
  if (issuer.tokens === 'access') assert(isAccessToken);
  if (issuer.tokens === 'id') assert(!isAccessToken && !('scope' in claims));
  if (issuer.tokens === 'access-untyped') assert(!('nonce' in claims));
  const inGroup = issuer.tokens === 'access' && [claims.groups].flat().includes('support');
  assert.equal(access.allows(caller, 'decode', 'payments'), inGroup);
  assert(!access.allows(caller, 'decode', 'shipping'));
  return issuer.tokens;
}
