import { describe, expect, it } from 'vitest';
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
/** These functions return a policy whose issuer is changed or has an additional field. */
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
])('decides whether keys may be fetched from %s: %s', (url, isSafe) => {
  expect(isSafeUrl(url)).toBe(isSafe);
});

const issuersIn = (content: string) => parsePolicy(`issuers:\n${content}\n...`).issuers;

it.each(['https://login.example.com/tenant', 'https://login.example.com/tenant/'])(
  'looks for the discovery document below the path of the issuer %s',
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
  ])('names the line and the field: %s', (_, content, mistake) => {
    expect(mistakesIn(content).join('\n')).toMatch(mistake);
  });

  it.each([
    'client_id',
    'code_challenge',
    'code_challenge_method',
    'nonce',
    'prompt',
    'redirect_uri',
    'resource',
    'response_mode',
    'response_type',
    'scope',
    'state',
  ])('names a dashboard parameter that the page sets itself: %s', (name) => {
    const parameters = `{ audience: codec, ${name}: a }`;
    const content = rule(`dashboard: { issuer: company, clientId: a, parameters: ${parameters} }`);
    expect(mistakesIn(content).join('\n')).toMatch(
      /line 12: dashboard.parameters names a parameter that the page sets itself/,
    );
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
    ['a domain alongside an address', `{ '${claim}': [eve@example.com, example.com] }`],
    ['the usual claim for addresses', '{ email: eve@example.com }'],
  ])('may not match %s', (_, match) => {
    expect(mistakesIn(cloud(match))).toEqual([expect.stringMatching(/rules\[0\]\.match/)]);
  });
});
