import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../../src/access/policy.ts';
import { forFile } from '../support/for-file.ts';
import { routes } from '../support/routes.ts';
import { startKms } from '../support/stack.ts';
import { servePolicy } from './support/policy-server.ts';
import { type Answer, ask } from './support/server.ts';

const ADDRESS = 'ana@example.com';
const CLOUD_EMAIL = 'https://saas-api.tmprl.cloud/user/email';
const URL_EMAIL = 'https://example.com/email';
const EXTERNAL = `securetoken.google.com/project/tenant:${ADDRESS}`;

/** One issuer of each kind, each with a rule that grants every permission to one e-mail address. */
const policy = parsePolicy(`
issuers:
  access: { type: oidc, issuer: 'https://a.example.com/', audience: codec, tokens: access, name: '${URL_EMAIL}' }
  untyped: { type: oidc, issuer: 'https://u.example.com/', audience: codec, tokens: access-untyped, name: preferred_username }
  id: { type: oidc, issuer: 'https://i.example.com/', audience: dashboard, tokens: id }
  proxy: { type: iap, audience: /projects/1/global/backendServices/2 }
  cloud: { type: temporal-cloud }
rules:
${[
  ['access', URL_EMAIL],
  ['access', 'email'],
  ['untyped', 'preferred_username'],
  ['untyped', 'upn'],
  ['untyped', 'emails'],
  ['untyped', 'sub'],
  ['id', 'email'],
  ['id', 'Email'],
  ['proxy', 'email'],
  ['cloud', CLOUD_EMAIL],
]
  .map(
    ([issuer, claim]) =>
      `  - { issuer: ${issuer}, match: { '${claim}': ['${ADDRESS}', '${EXTERNAL}'] }, namespaces: '*', permissions: [metadata, decode, encode, query, search, export, audit] }`,
  )
  .join('\n')}
...
`);

const kms = forFile(await startKms());
const { server, issuers } = await servePolicy(kms, policy);
forFile(server);

const header = (issuer: string, token: string): [string, string] =>
  issuer === 'proxy' ? ['X-Goog-IAP-JWT-Assertion', token] : ['Authorization', `Bearer ${token}`];

function send([method, , path]: (typeof routes)[number], who: [string, string]): Promise<Answer> {
  return ask(server.port, {
    method,
    path,
    headers: [
      who,
      ['Content-Type', 'application/json'],
      ['X-Namespace', 'payments'],
      ['X-Reveal-Justification', 'ticket 4711'],
    ],
    ...(method === 'POST' && { body: '{"payloads":[]}' }),
  });
}

const permitted = routes.filter(([, , , needs]) => needs !== 'public' && needs !== 'known');
/**
 * For each permission, one route with a namespace and one without (if there are such routes). With `SLOW=1`,
 * every route that requires a permission.
 */
const ofEachPermission = process.env['SLOW']
  ? permitted
  : [...new Map(permitted.map((route) => [`${route[3]} ${route[4]}`, route])).values()];

/** Returns the status of each of the routes. */
async function statuses(
  issuer: string,
  claims: Record<string, unknown>,
  of: readonly (typeof routes)[number][] = ofEachPermission,
): Promise<number[]> {
  const who = header(issuer, await issuers.token(issuer, claims));
  return Promise.all(of.map(async (route) => (await send(route, who)).status));
}

async function nameOf(issuer: string, claims: Record<string, unknown>): Promise<string> {
  const token = await issuers.token(issuer, claims);
  const answer = await ask(server.port, { path: '/api/me', headers: [header(issuer, token)] });
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body).name;
}

/** All kinds of JSON values, except `true`, that a token may contain in a claim about verification. */
const notTrue: readonly (readonly [string, unknown])[] = [
  false,
  'false',
  'False',
  'FALSE',
  'true',
  'True',
  ' true',
  'yes',
  'no',
  '',
  '0',
  '1',
  0,
  1,
  -1,
  1e300,
  null,
  [],
  [true],
  [true, false],
  {},
  { value: true },
  'trueе',
  '\u0000true',
].map((value) => [JSON.stringify(value), value]);

/**
 * The places where a token can contain an e-mail address: for each issuer, the claim that a rule names,
 * and the claim's value.
 */
const places: readonly (readonly [issuer: string, claim: string, value: unknown])[] = [
  ['access', URL_EMAIL, ADDRESS],
  ['access', 'email', ADDRESS],
  ['untyped', 'preferred_username', ADDRESS],
  ['untyped', 'upn', ADDRESS],
  ['untyped', 'emails', [ADDRESS]],
  ['untyped', 'sub', ADDRESS],
  ['id', 'email', ADDRESS],
  ['id', 'Email', ADDRESS],
  ['id', 'email', ['bo@example.com', ADDRESS]],
  ['proxy', 'email', ADDRESS],
  ['proxy', 'email', EXTERNAL],
  ['cloud', CLOUD_EMAIL, ADDRESS],
];

/** The first of the `places` for each issuer. */
const samples = places.filter(([issuer], at) => places.findIndex(([other]) => other === issuer) === at);

describe.each(samples)('an e-mail address of issuer %s in the claim %s, %j', (issuer, claim, value) => {
  it.each(notTrue)('grants no permission when email_verified is %s', async (_, verified) => {
    expect(new Set(await statuses(issuer, { [claim]: value, email_verified: verified }))).toEqual(
      new Set([403]),
    );
  });
});

describe.each(places)('an e-mail address of issuer %s in the claim %s, %j', (issuer, claim, value) => {
  it.each([
    ['no claim states whether the address is verified', {}],
    ['email_verified is true', { email_verified: true }],
    ['a claim with a URL name is verified', { 'https://example.com/email_verified': true }],
  ])('grants what the rule lists when %s', async (_, claims) => {
    const given = await statuses(issuer, { [claim]: value, ...claims }, permitted);
    for (const [index, status] of given.entries()) {
      // A caller may run the key test only a few times per minute.
      const limited = permitted[index]?.[2].endsWith('/keys:test') ? [429] : [];
      expect([200, 400, 404, 501, ...limited]).toContain(status);
    }
  });

  it('grants nothing on any route when email_verified is not true', async () => {
    const given = await statuses(issuer, { [claim]: value, email_verified: 'False' }, permitted);
    expect(new Set(given)).toEqual(new Set([403]));
  });

  it.each([
    'Email_Verified',
    'emailVerified',
    'email-verified',
    'verified_email',
    'email_is_verified',
    'https://example.com/email_verified',
    'https://example.com/claims#emailVerified',
    'https://example.com/email/verified',
    'urn:example:email_verified',
    'example.com/email_verified',
    `${CLOUD_EMAIL}_verified`,
    'xms_edov',
  ])('grants no permission when %s is not true', async (name) => {
    expect(new Set(await statuses(issuer, { [claim]: value, [name]: 'False' }))).toEqual(new Set([403]));
  });

  it.each<[what: string, claims: Record<string, unknown>]>([
    ["the proxy's external identity", { gcip: { email: ADDRESS, email_verified: false } }],
    ['a profile under a URL name', { 'https://example.com/profile': { email_verified: 'no' } }],
    ['a list of addresses', { addresses: [{ email: ADDRESS, email_verified: 0 }] }],
    ['one of two places', { email_verified: true, 'https://example.com/email_verified': false }],
    ['a deep place', { a: { b: [{ c: { email_verified: null } }] } }],
  ])('grants no permission when %s marks the address as unverified', async (_, claims) => {
    expect(new Set(await statuses(issuer, { [claim]: value, ...claims }))).toEqual(new Set([403]));
  });
});

it.each([
  'Ana@example.com',
  'ana@Example.com',
  'ana@example.com.',
  ' ana@example.com',
  'ana@example.com\u0000',
  'ana+codec@example.com',
  'аna@example.com',
  'ana@exam\u200Bple.com',
  'ana\uFF20example.com',
  'ana@example.com,bo@example.com',
  'Ana <ana@example.com>',
  'mailto:ana@example.com',
  { email: ADDRESS },
  [[ADDRESS]],
])('compares e-mail addresses literally: %j is a different address', async (address) => {
  for (const [issuer, claim] of samples) {
    const given = await statuses(issuer, { [claim]: address, email_verified: true });
    expect(new Set(given)).toEqual(new Set([403]));
  }
});

it.each(samples)(
  'names callers of issuer %s by their subject if their address is unverified',
  async (issuer, claim) => {
    expect(await nameOf(issuer, { [claim]: ADDRESS })).toBe(ADDRESS);
    for (const [, verified] of notTrue) {
      expect(await nameOf(issuer, { [claim]: ADDRESS, email_verified: verified })).toBe('subject-1');
    }
  },
);
