import { generateKeyPair, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { issuer } from '../../src/access/policy/issuer.ts';
import { verifier } from '../../src/access/tokens/verify.ts';

const NOW = 1_800_000_000;
const company = issuer.parse({
  type: 'oidc',
  issuer: 'https://login.example.com',
  audience: 'codec',
  tokens: 'access',
  maxAgeHours: 1,
});
const { publicKey, privateKey } = await generateKeyPair('RS256');
const verify = verifier(company, { find: () => publicKey }, () => NOW * 1_000);

const token = (exp: number): Promise<string> =>
  new SignJWT({ iss: company.issuer, aud: 'codec', sub: 'ana', iat: NOW - 60, exp })
    .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt' })
    .sign(privateKey);

test.each([
  ['where its exp says', NOW + 600, NOW * 1_000 + 600_000],
  ['at whole milliseconds, not after its exp', NOW + 0.12345, NOW * 1_000 + 123],
  ['where it becomes too old, whatever its exp says', NOW + 86_400, NOW * 1_000 + 3_540_000],
  ['where it becomes too old, even if its exp is no date', 1e15, NOW * 1_000 + 3_540_000],
])('a sign-in ends %s', async (_, exp, expiresAt) => {
  expect((await verify(await token(exp))).expiresAt).toBe(expiresAt);
});
