import { describe, expect, it } from 'vitest';
import type { Credentials } from '../../src/access/access.ts';
import { bearerToken, claimedIssuer, iapAssertion } from '../../src/access/tokens.ts';
import { tokenOf } from './support/signed.ts';

const requestWith = (headers: Record<string, string>): Credentials => ({
  header: (name) => new Headers(headers).get(name) ?? undefined,
});
const authorized = (value: string): Credentials => requestWith({ Authorization: value });
const asserted = (value: string): Credentials => requestWith({ 'X-Goog-IAP-JWT-Assertion': value });

const invalidToken = {
  status: 401,
  code: 'unauthenticated',
  challenge: expect.stringMatching(/^Bearer error="invalid_token"/),
};

describe('bearerToken', () => {
  it.each([
    ['Bearer a.b-c_d~e+f/g', 'a.b-c_d~e+f/g'],
    ['Bearer YQ==', 'YQ=='],
    ['bearer a', 'a'],
    ['BEARER   a', 'a'],
  ])('returns the token from the header "Authorization: %s"', (header, token) => {
    expect(bearerToken(authorized(header))).toBe(token);
  });

  it.each([
    ['no header Authorization', requestWith({})],
    ['a token in another header', requestWith({ 'X-Goog-IAP-JWT-Assertion': 'a' })],
    ['an empty header', authorized('')],
    ['another scheme', authorized('Basic YTpi')],
    ['another scheme whose value is a bearer token', authorized('Negotiate Bearer a')],
    ['a scheme that begins like Bearer', authorized('Bearers a')],
    ['a token without a scheme', authorized('a')],
  ])('asks for a token, without an error, if the request has %s', (_, request) => {
    expect(() => bearerToken(request)).toThrow(
      expect.objectContaining({ status: 401, code: 'unauthenticated', challenge: 'Bearer', loggable: true }),
    );
  });

  it.each([
    ['no token', 'Bearer'],
    ['two tokens', 'Bearer a b'],
    ['two headers', 'Bearer a, Bearer b'],
    ['a character that no token contains', 'Bearer a!'],
    ['an equals sign within a token', 'Bearer a=b'],
  ])('rejects a request as malformed if its Authorization header has %s', (_, header) => {
    expect(() => bearerToken(authorized(header))).toThrow(
      expect.objectContaining({
        status: 400,
        code: 'bad_request',
        challenge: 'Bearer error="invalid_request"',
        loggable: true,
      }),
    );
  });
});

describe('iapAssertion', () => {
  it("returns the value of the proxy's header", () => {
    expect(iapAssertion(asserted('a.b.c'))).toBe('a.b.c');
    expect(iapAssertion(asserted(''))).toBe('');
  });

  it("returns undefined if the request lacks the proxy's header", () => {
    expect(iapAssertion(authorized('Bearer a.b.c'))).toBeUndefined();
  });
});

it.each([
  ['a bearer token', (token: string) => bearerToken(authorized(`Bearer ${token}`))],
  ["the proxy's assertion", (token: string) => iapAssertion(asserted(token))],
])('accepts %s of 16 KiB, but not a longer value', (_, read) => {
  const longest = 'a'.repeat(16 * 1_024);
  expect(read(longest)).toBe(longest);
  expect(() => read(`${longest}a`)).toThrow(expect.objectContaining(invalidToken));
});

describe('claimedIssuer', () => {
  it('returns the issuer in the claims, or undefined if the claims lack it', () => {
    expect(claimedIssuer(tokenOf('access'))).toBe('https://login.example.com/');
    expect(claimedIssuer(tokenOf('access', { claims: { iss: undefined } }))).toBeUndefined();
  });

  it.each(['', 'a', 'a.b', 'a.b.c', 'a.W10.c', 'a.bnVsbA.c'])(
    'refuses the unreadable token "%s"',
    (token) => {
      expect(() => claimedIssuer(token)).toThrow(expect.objectContaining(invalidToken));
    },
  );
});
