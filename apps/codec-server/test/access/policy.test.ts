import { describe, expect, it } from 'vitest';
import { Grants, grantsOf } from '../../src/access/policy-access.ts';
import { StrictYamlError } from '@temporal-kms/kms-codec/strict-yaml';
import { isSafeUrl, parsePolicy, readPolicy } from '../../src/access/policy.ts';
import { examplePolicy } from './support/example.ts';

const issuer = `  company:
    type: oidc
    issuer: https://login.example.com/
    audience: codec
    tokens: access`;

const mistakesIn = (content: string): string[] => {
  try {
    parsePolicy(`${content}\n...\n`);
  } catch (error) {
    if (error instanceof StrictYamlError) return error.message.split('\n').slice(1);
    throw error;
  }
  return [];
};

const rule = (fields: string): string => `issuers:
${issuer}
rules:
  - issuer: company
    match: { groups: a }
    namespaces: [payments]
    permissions: [decode]
${fields}`;

/** Returns a policy whose second rule has these fields. */
const second = ({
  issuer: of = 'company',
  match = '{ a: b }',
  namespaces = '[a]',
  permissions = '[decode]',
}) => rule(`  - { issuer: ${of}, match: ${match}, namespaces: ${namespaces}, permissions: ${permissions} }`);
/** These functions return a policy with a changed issuer, or with another field in the issuer. */
const changed = (from: string | RegExp, to: string): string => `issuers:\n${issuer.replace(from, to)}`;
const withField = (field: string): string => `issuers:\n${issuer}\n    ${field}`;

it('accepts the example policy from the documentation', () => {
  expect(Object.keys(parsePolicy(examplePolicy()).issuers)).toEqual(['company', 'partner', 'proxy', 'cloud']);
});

it.each([
  ['https://login.example.com/keys', true],
  ['http://127.0.0.1:8080/keys', true],
  ['http://[::1]/keys', true],
  ['http://login.example.com/keys', false],
  ['ftp://127.0.0.1/keys', false],
  ['https://user@login.example.com/keys', false],
  ['https://:password@login.example.com/keys', false],
  ['https://login.example.com/keys#first', false],
  ['login.example.com', false],
])('lets the server fetch keys from %s: %s', (url, isSafe) => {
  expect(isSafeUrl(url)).toBe(isSafe);
});

const issuersIn = (content: string) => parsePolicy(`issuers:\n${content}\n...`).issuers;

it.each(['https://login.example.com/tenant', 'https://login.example.com/tenant/'])(
  'finds the keys of %s by discovery below its path',
  (url) => {
    const { company } = issuersIn(issuer.replace('https://login.example.com/', url));
    expect(company?.keys).toEqual({
      discovery: 'https://login.example.com/tenant/.well-known/openid-configuration',
    });
  },
);

it('refuses tokens after as many hours as the policy specifies, by default after a day', () => {
  expect(issuersIn(issuer)['company']?.maxAgeSeconds).toBe(86_400);
  expect(issuersIn(`${issuer}\n    maxAgeHours: 2`)['company']?.maxAgeSeconds).toBe(7_200);
});

it("knows the issuer, key set and algorithm of Google's proxy and Temporal Cloud", () => {
  expect(issuersIn('  proxy: { type: iap, audience: a }\n  cloud: { type: temporal-cloud }')).toMatchObject({
    proxy: {
      issuer: 'https://cloud.google.com/iap',
      tokens: 'assertion',
      keys: { jwks: 'https://www.gstatic.com/iap/verify/public_key-jwk' },
      algorithms: ['ES256'],
      name: 'email',
    },
    cloud: {
      issuer: 'https://login.tmprl.cloud/',
      audience: ['https://saas-api.tmprl.cloud'],
      tokens: 'access-untyped',
      keys: { jwks: 'https://login.tmprl.cloud/.well-known/jwks.json' },
      algorithms: ['RS256'],
      name: 'https://saas-api.tmprl.cloud/user/email',
    },
  });
});

it('accepts an issuer whose host name begins with, but does not equal, the domain of Temporal Cloud', () => {
  expect(mistakesIn(changed('login.example.com', 'tmprl.cloud.example.com'))).toEqual([]);
});

describe('the error for a policy with a mistake', () => {
  it.each<[what: string, content: string, mistake: RegExp]>([
    ['no issuers', '{}', /issuers is missing/],
    [
      'an empty list of issuers',
      'issuers: {}',
      /line 1: issuers is empty, so no caller could sign in: add an issuer/,
    ],
    ['a field that does not exist', rule('groups: []'), /groups/],
    ['a misspelt field', withField('audiance: codec'), /line 7: issuers.company .*unknown field: audiance/],
    ['an empty file', '', /is empty/],
    ['a field twice', rule('rules: []'), /line 12: rules is there twice/],
    ['an issuer over http', changed('https', 'http'), /line 4: issuers.company.issuer must be an https URL/],
    ['an issuer with a password', changed('//', '//u:p@'), /issuers.company.issuer must be an https URL/],
    [
      'keys over http',
      withField('jwks: http://login.example.com/keys'),
      /issuers.company.jwks must be an https URL/,
    ],
    ['no audience', changed(/ +audience: codec\n/, ''), /issuers.company.audience is missing/],
    [
      'both kinds of token',
      changed('tokens: access', 'tokens: [access, id]'),
      /line 6: issuers.company.tokens/,
    ],
    ['no kind of token', changed(/ +tokens: access/, ''), /issuers.company.tokens/],
    ['a symmetric algorithm', withField('algorithms: [HS256]'), /issuers.company.algorithms\[0\]/],
    ['no algorithm', withField('algorithms: [none]'), /issuers.company.algorithms\[0\]/],
    ['clocks that differ by an hour', withField('clockSkewSeconds: 3600'), /clockSkewSeconds/],
    [
      'the same issuer twice',
      `issuers:\n${issuer}\n${issuer.replace('company', 'other').replace('tokens: access', 'tokens: id')}`,
      /line 7: issuers.other is the same issuer as company: list it only once/,
    ],
    [
      'Temporal Cloud as an ordinary issuer',
      changed('login.example.com', 'login.tmprl.cloud'),
      /write type: temporal-cloud/,
    ],
    [
      'Temporal Cloud without a subdomain as an ordinary issuer',
      changed('login.example.com', 'tmprl.cloud'),
      /write type: temporal-cloud/,
    ],
    ['an issuer that is not a URL', changed('https://login.example.com/', 'login'), /must be an https URL/],
    [
      'a rule for an unknown issuer',
      second({ issuer: 'nobody' }),
      /line 12: rules\[1\].issuer must be one of issuers: company/,
    ],
    ['a rule for every caller', second({ match: '{}' }), /rules\[1\].match names no claim/],
    [
      'a rule without a match',
      rule('  - { issuer: company, namespaces: [a], permissions: [decode] }'),
      /rules\[1\].match/,
    ],
    ['a wildcard in a value', second({ match: '{ email: "*@example.com" }' }), /rules\[1\].match.email/],
    ['a wildcard in a name', second({ namespaces: '["pay*"]' }), /rules\[1\].namespaces/],
    ['no namespace', second({ namespaces: '[]' }), /rules\[1\].namespaces/],
    [
      'an unknown permission',
      second({ permissions: '[decode, root]' }),
      /line 12: rules\[1\].permissions\[1\]/,
    ],
    ['no permission', second({ permissions: '[]' }), /rules\[1\].permissions is empty/],
    ['a value that is not text', second({ match: '{ admin: true }' }), /rules\[1\].match.admin must be text/],
    ['an unknown way to reveal', rule('reveal: sometimes'), /line 12: reveal/],
    ['a reveal for more than 12 hours', rule('revealMinutes: 721'), /line 12: revealMinutes/],
    [
      'a dashboard with an unknown issuer',
      rule('dashboard: { issuer: nobody, clientId: a }'),
      /dashboard.issuer must be one of issuers: company/,
    ],
    [
      'a dashboard whose people sign in with Temporal Cloud',
      `issuers: { cloud: { type: temporal-cloud } }\ndashboard: { issuer: cloud, clientId: a }`,
      /line 2: dashboard.issuer must be an issuer of type oidc/,
    ],
    [
      'a dashboard parameter that the page sets itself',
      rule(
        'dashboard: { issuer: company, clientId: a, parameters: { audience: codec, redirect_uri: "https://evil.example" } }',
      ),
      /dashboard.parameters names a parameter that the page sets itself/,
    ],
  ])('names the line and the field: %s', (_, content, mistake) => {
    expect(mistakesIn(content).join('\n')).toMatch(mistake);
  });

  it('lists all mistakes', () => {
    const found = mistakesIn(
      rule('  - { issuer: company, match: {}, namespaces: [], permissions: [root] }\nreveal: sometimes'),
    );
    expect(found).toHaveLength(4);
  });

  it('states the cause if the policy file does not exist', () => {
    expect(() => readPolicy('/nowhere/policy.yaml')).toThrow(
      /in POLICY_FILE:\n {2}cannot be read: \S+ does not exist$/,
    );
  });
});

const cloud = (match: string): string => `issuers:
  cloud: { type: temporal-cloud }
rules:
  - { issuer: cloud, match: ${match}, namespaces: [orders], permissions: [decode] }`;

describe("a rule for Temporal Cloud's tokens, which other codec servers also receive", () => {
  const claim = 'https://saas-api.tmprl.cloud/user/email';

  it('may match e-mail addresses', () => {
    expect(mistakesIn(cloud(`{ '${claim}': [eve@example.com, bo@example.com] }`))).toEqual([]);
    expect(mistakesIn(cloud(`{ '${claim}': eve@example.com, sub: auth0 }`))).toEqual([]);
  });

  it.each([
    ['another claim alone', '{ sub: auth0|1 }'],
    ['the audience, which every token has', "{ aud: 'https://saas-api.tmprl.cloud' }"],
    ['a wildcard', `{ '${claim}': '*' }`],
    ['a pattern', `{ '${claim}': '*@example.com' }`],
    ['a domain', `{ '${claim}': '@example.com' }`],
    ['an address with a word in front', `{ '${claim}': 'or eve@example.com' }`],
    ['an address with a word behind', `{ '${claim}': 'eve@example.com or' }`],
    ['a domain next to an address', `{ '${claim}': [eve@example.com, example.com] }`],
    ['the usual claim for addresses', '{ email: eve@example.com }'],
  ])('may not match %s', (_, match) => {
    expect(mistakesIn(cloud(match))).toEqual([expect.stringMatching(/rules\[0\]\.match/)]);
  });
});

const ruleCounts = (match: string, claims: Record<string, unknown>): boolean => {
  const policy = parsePolicy(
    rule(`  - { issuer: company, match: ${match}, namespaces: [orders], permissions: [search] }\n...`),
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
      { email: 'a@b.c', 'https://mail.example.com/verified': false },
      true,
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
    `issuers:\n${issuer}\n    temporalPermissions:\n      read: [metadata]\n      write: [decode]\n      admin: [audit]${more}\n...`,
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

  it.each(['payments:read', 7, {}])('grants nothing if it is not a list, but %j', (permissions) => {
    expect(temporalGrants(permissions).has('metadata', undefined)).toBe(false);
  });

  it('grants nothing if the policy does not list permissions for Temporal’s roles', () => {
    const policy = parsePolicy(`issuers:\n${issuer}\n...`);
    const given = grantsOf(policy, policy.issuers['company']!, { permissions: ['payments:read'] });
    expect(given.has('metadata', undefined)).toBe(false);
  });
});

/**
 * Returns a function that takes an issuer's name, and returns the permissions of the issuer's callers in
 * the group `a`.
 */
const grantedBy = (issuers: string) => {
  const policy = parsePolicy(`${rule('').replace('issuers:', `issuers:\n${issuers}`)}\n...`);
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
