import { generateKeyPair, SignJWT } from 'jose';
import { expect, it } from 'vitest';
import { issuer } from '../../src/access/policy.ts';
import { TokenCache, type VerifiedToken, verifier } from '../../src/access/tokens.ts';

const SECOND = 1_000;

function tokens(expiresAt: number | undefined, max?: number) {
  let now = 0;
  const checked: string[] = [];
  const memory = new TokenCache<{ expiresAt?: number }>(() => now, max);
  return {
    checked,
    ask: (token: string, at: number) => {
      now = at;
      return memory.get(token, async () => {
        checked.push(token);
        return expiresAt === undefined ? {} : { expiresAt };
      });
    },
    memory,
  };
}

it('caches a verified token for a minute', async () => {
  const { ask, checked } = tokens(3_600 * SECOND);
  await ask('a', 0);
  await ask('a', 59.9 * SECOND);
  expect(checked).toEqual(['a']);
  await ask('a', 60 * SECOND);
  expect(checked).toEqual(['a', 'a']);
});

it('does not cache a token past its expiry', async () => {
  const { ask, checked } = tokens(10 * SECOND);
  await ask('a', 0);
  await ask('a', 9.9 * SECOND);
  expect(checked).toHaveLength(1);
  await ask('a', 10 * SECOND);
  await ask('a', 10 * SECOND);
  expect(checked).toHaveLength(3);
});

const refuse = () => Promise.reject(new Error('refused'));

it('does not cache a refusal', async () => {
  const { memory } = tokens(undefined);
  await expect(memory.get('a', refuse)).rejects.toThrow('refused');
  await expect(memory.get('a', async () => ({}))).resolves.toEqual({});
});

it('evicts the least recently used token if the cache is full', async () => {
  const { ask, checked } = tokens(3_600 * SECOND, 2);
  for (const token of ['a', 'b', 'a', 'c', 'a', 'b']) await ask(token, 0);
  expect(checked).toEqual(['a', 'b', 'c', 'b']);
});

const NOW = 1_800_000_000;
const company = issuer.parse({
  type: 'oidc',
  issuer: 'https://login.example.com',
  audience: 'codec',
  tokens: 'access',
  maxAgeHours: 1,
});
const { publicKey, privateKey } = await generateKeyPair('RS256');
const verify = verifier(company, { find: () => publicKey }, () => NOW * 1_000 + 900);

const token = (exp: number, claims: object = {}): Promise<string> =>
  new SignJWT({ iss: company.issuer, aud: 'codec', sub: 'ana', iat: NOW - 60, exp, ...claims })
    .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt' })
    .sign(privateKey);

it.each([
  ['at its exp', NOW + 600, NOW * 1_000 + 600_000],
  ['at whole milliseconds, not after its exp', NOW + 0.12345, NOW * 1_000 + 123],
  ['when it is too old, whatever its exp', NOW + 86_400, NOW * 1_000 + 3_540_000],
  ['when it is too old, even if its exp is not a date', 1e15, NOW * 1_000 + 3_540_000],
])('ends the sign-in with a token %s', async (_, exp, expiresAt) => {
  expect((await verify(await token(exp))).expiresAt).toBe(expiresAt);
});

it.each([
  ['nbf', 45, 45],
  ['iat', 45, 45],
  ['nbf', 30.5, 31],
])(
  'reports the clock skew if a token is not valid yet, because its %s is %d s ahead',
  async (claim, ahead, reported) => {
    await expect(verify(await token(NOW + 600, { [claim]: NOW + ahead }))).rejects.toMatchObject({
      status: 401,
      message: expect.stringMatching(new RegExp(` ${reported} s ahead .* tolerates 30 s`)),
    });
  },
);

const BACKEND = '/projects/1/global/backendServices/2';
const proxy = issuer.parse({ type: 'iap', audience: BACKEND });

/** Verifies an assertion that is valid, except perhaps for its algorithm. */
async function verifiedAssertion(alg: string): Promise<VerifiedToken> {
  const pair = await generateKeyPair(alg);
  const assertion = await new SignJWT({
    iss: proxy.issuer,
    aud: BACKEND,
    sub: 'accounts.google.com:1',
    iat: NOW - 60,
    exp: NOW + 540,
  })
    .setProtectedHeader({ alg })
    .sign(pair.privateKey);
  return verifier(proxy, { find: () => pair.publicKey }, () => NOW * 1_000)(assertion);
}

it("accepts an ES256 assertion from Google's proxy", async () => {
  expect((await verifiedAssertion('ES256')).claims.sub).toBe('accounts.google.com:1');
});

it.each(['RS256', 'PS256', 'ES384', 'EdDSA'])(
  "refuses an assertion from Google's proxy with %s",
  async (alg) => {
    await expect(verifiedAssertion(alg)).rejects.toMatchObject({
      status: 401,
      message: expect.stringContaining('its algorithm'),
    });
  },
);
