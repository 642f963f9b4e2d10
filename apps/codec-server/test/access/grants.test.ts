import { describe, expect, it } from 'vitest';
import { type Grants, grantsOf } from '../../src/access/policy-access.ts';
import { parsePolicy } from '../../src/access/policy.ts';

const issuers = `issuers:
  company:
    type: oidc
    issuer: https://login.example.com/
    audience: codec
    tokens: access`;

const ruleCounts = (match: string, claims: Record<string, unknown>): boolean => {
  const policy = parsePolicy(
    `${issuers}
rules:
  - { issuer: company, match: ${match}, namespaces: [orders], permissions: [search] }
...`,
  );
  return grantsOf(policy, policy.issuers['company']!, claims).has('search', 'orders');
};

describe('a rule', () => {
  it.each<[what: string, match: string, claims: Record<string, unknown>, expected: boolean]>([
    ['matches equal text', '{ team: a }', { team: 'a' }, true],
    ['does not match text in another case', '{ team: a }', { team: 'A' }, false],
    ['does not match longer text', '{ team: a }', { team: 'ab' }, false],
    ['matches an element of a list', '{ team: a }', { team: ['b', 'a'] }, true],
    ['does not match a list within a list', '{ team: a }', { team: [['a']] }, false],
    ['does not match text that contains the value', '{ team: a }', { team: 'b a' }, false],
    ['matches a word of scope', '{ scope: b }', { scope: 'a b' }, true],
    ['matches a word of scp', '{ scp: b }', { scp: 'a b' }, true],
    ['does not match a number', "{ team: '1' }", { team: 1 }, false],
    [
      'does not match a number, even if the token has an unverified address',
      "{ team: '1' }",
      { team: 1, email_verified: false },
      false,
    ],
    ['does not match a scope that is a number', '{ scope: b }', { scope: 5 }, false],
    ['does not match an object', "{ team: '[object Object]' }", { team: {} }, false],
    ['does not match a property that every object inherits', '{ toString: a }', {}, false],
    ['matches one of several values', '{ team: [x, a] }', { team: 'a' }, true],
    ['does not match if one of several claims is missing', '{ team: a, role: b }', { team: 'a' }, false],
    [
      'does not match an unverified address',
      '{ email: a@b.c }',
      { email: 'a@b.c', email_verified: false },
      false,
    ],
    [
      'does not match an address whose email_verified is text',
      '{ email: a@b.c }',
      { email: 'a@b.c', email_verified: 'false' },
      false,
    ],
    [
      'matches an address that is verified',
      '{ email: a@b.c }',
      { email: 'a@b.c', email_verified: true },
      true,
    ],
    [
      'does not match an address that a nested claim marks as unverified',
      '{ email: a@b.c }',
      { email: 'a@b.c', profile: { email_verified: false } },
      false,
    ],
    [
      'does not match an address whose domain Entra has not verified',
      '{ email: a@b.c }',
      { email: 'a@b.c', xms_edov: false },
      false,
    ],
    [
      'does not match an address whose domain Entra has not verified according to a claim with a URL name',
      '{ email: a@b.c }',
      { email: 'a@b.c', 'https://example.com/xms_edov': false },
      false,
    ],
    [
      'does not match an address that a claim with a URL name marks as unverified',
      '{ email: a@b.c }',
      { email: 'a@b.c', 'https://example.com/email_verified': false },
      false,
    ],
    [
      'matches an address although a claim without a value follows',
      '{ email: a@b.c }',
      { email: 'a@b.c', profile: null },
      true,
    ],
    [
      'matches an address whose telephone number is unverified',
      '{ email: a@b.c }',
      { email: 'a@b.c', phone_number_verified: false },
      true,
    ],
    [
      'matches an address although another claim’s URL has a host for mail',
      '{ email: a@b.c }',
      { email: 'a@b.c', 'https://login.mail.example.com/verified': false },
      true,
    ],
    [
      'does not match an address that a claim marks as unverified, if the claim’s name only contains a URL',
      '{ email: a@b.c }',
      { email: 'a@b.c', 'see https://mail.example.com/verified': false },
      false,
    ],
    [
      'matches another claim of a token with an unverified address',
      '{ team: a }',
      { team: 'a', email_verified: false },
      true,
    ],
    [
      'does not match an unverified name for mail that is no address',
      '{ mail: ana }',
      { mail: 'ana', email_verified: false },
      false,
    ],
    ['matches an address without email_verified', '{ email: a@b.c }', { email: 'a@b.c' }, true],
  ])('%s', (_, match, claims, expected) => {
    expect(ruleCounts(match, claims)).toBe(expected);
  });
});

const temporalGrants = (permissions: unknown, more = ''): Grants => {
  const policy = parsePolicy(
    `${issuers}\n    temporalPermissions:\n      read: [metadata]\n      write: [decode]\n      admin: [audit]${more}\n...`,
  );
  return grantsOf(policy, policy.issuers['company']!, { permissions });
};

describe("a claim in Temporal's own format", () => {
  it("grants only the permissions that the policy lists for the role, and only in the claim's namespace", () => {
    const given = temporalGrants([
      'payments:read',
      'orders:WRITE',
      'orders:worker',
      'a:owner',
      'b',
      7,
      ':read',
      ':f:read',
      'c:',
      'read',
      ['d:read'],
      'e:read',
    ]);
    expect(given.has('metadata', 'payments')).toBe(true);
    expect(given.has('decode', 'payments')).toBe(false);
    expect(given.has('decode', 'orders')).toBe(true);
    expect(given.has('metadata', 'orders')).toBe(false);
    expect(given.has('metadata', 'e')).toBe(true);
    for (const namespace of ['a', 'b', 'c', 'd', 'f', '', 'rea'])
      expect(given.has('metadata', namespace)).toBe(false);
  });

  it.each(['system', 'temporal-system'])(
    'for the namespace %s applies in every namespace only if the policy sets `every-namespace`',
    (system) => {
      expect(temporalGrants([`${system}:admin`]).has('audit', undefined)).toBe(false);
      const everywhere = temporalGrants([`${system}:admin`], '\n      system: every-namespace');
      expect(everywhere.has('audit', 'payments')).toBe(true);
      expect(everywhere.has('metadata', 'payments')).toBe(false);
    },
  );

  it.each(['payments:read', 7, {}])('grants nothing if it is %j instead of a list', (permissions) => {
    expect(temporalGrants(permissions).has('metadata', undefined)).toBe(false);
  });

  it('grants nothing if the policy does not list permissions for Temporal’s roles', () => {
    const policy = parsePolicy(`${issuers}\n...`);
    const given = grantsOf(policy, policy.issuers['company']!, { permissions: ['payments:read'] });
    expect(given.has('metadata', undefined)).toBe(false);
  });
});

/**
 * Returns a function that takes an issuer's name, and returns the permissions of the issuer's callers in
 * the group `a`.
 */
const grantedBy = (more: string) => {
  const policy = parsePolicy(`${issuers}
${more}
rules:
  - { issuer: company, match: { groups: a }, namespaces: [payments], permissions: [decode] }
...`);
  return (name: string) => grantsOf(policy, policy.issuers[name]!, { groups: 'a' });
};

describe('Grants', () => {
  it('contains a permission for requests without a namespace if a rule grants the permission in at least one namespace', () => {
    const grants = grantedBy('')('company');
    expect(grants.has('decode', undefined)).toBe(true);
    expect(grants.has('encode', undefined)).toBe(false);
    expect(grants.has('decode', 'orders')).toBe(false);
  });

  it('contains no permission that a rule grants only to callers of another issuer', () => {
    expect(grantedBy('  proxy: { type: iap, audience: a }')('proxy').has('decode', 'payments')).toBe(false);
  });
});
