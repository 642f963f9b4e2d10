import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Issuer, issuer } from '../../src/access/policy.ts';
import { verifier } from '../../src/access/tokens.ts';

const NOW = 1_800_000_000;
const of = (tokens: string): Issuer =>
  issuer.parse({ type: 'oidc', issuer: 'https://login.example.com/', audience: 'codec', tokens });
const issuers: Record<string, Issuer> = {
  access: of('access'),
  'access-untyped': of('access-untyped'),
  id: of('id'),
  assertion: issuer.parse({ type: 'iap', audience: 'codec' }),
  'Temporal Cloud': issuer.parse({ type: 'temporal-cloud', audience: 'codec' }),
};
const names = Object.keys(issuers);
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

interface Changes {
  readonly header?: Record<string, unknown>;
  readonly claims?: Record<string, unknown>;
  readonly headJson?: (text: string) => string;
  readonly json?: (text: string) => string;
}

const nested = (text: string): string =>
  text.replace('{', `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)},`);
/** Returns a function that inserts members at the start of a JSON object. */
const inserting = (json: string) => (text: string) => text.replace('{', `{${json},`);
const asItIs = (text: string): string => text;
const encoded = (text: string): string => Buffer.from(text).toString('base64url');

/** Resolves if the server accepts a token from the issuer that is valid except for the changes. */
async function check(
  name: string,
  { header = {}, claims = {}, headJson = asItIs, json = asItIs }: Changes = {},
) {
  const from = issuers[name]!;
  const { publicKey, privateKey } = from.algorithms.includes('RS256') ? rsa : ec;
  const payload = { iss: from.issuer, aud: 'codec', sub: 'ana', iat: NOW - 60, exp: NOW + 600, ...claims };
  const written = JSON.stringify({
    alg: publicKey === rsa.publicKey ? 'RS256' : 'ES256',
    typ: from.tokens === 'access' ? 'at+jwt' : 'JWT',
    ...header,
  });
  const input = [headJson(written), json(JSON.stringify(payload))].map(encoded).join('.');
  // The test signs the token itself, because a token library would refuse to create invalid tokens.
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const token = `${input}.${signature.toString('base64url')}`;
  await verifier(from, { find: () => publicKey }, () => NOW * 1_000)(token);
}

const refused = { status: 401, challenge: expect.stringMatching(/^Bearer error="invalid_token"/) };

describe.each(names)('a token from an issuer for which the policy accepts %s', (name) => {
  it('is accepted if its header and claims are unchanged', async () => {
    await expect(check(name)).resolves.toBeUndefined();
  });

  it.each([
    'logout+jwt',
    'application/logout+jwt',
    'LOGOUT+JWT',
    'dpop+jwt',
    'secevent+jwt',
    'token-introspection+jwt',
    'oauth-authz-req+jwt',
    'client-authentication+jwt',
    'vc+sd-jwt',
    'kb+jwt',
    'JWS',
    'JOSE',
    'id_token',
    'jwt ',
    ' at+jwt',
    'at+jwt; charset=utf-8',
    'application/application/jwt',
    'text/jwt',
    'jwt\u0000',
    'ĵwt',
    '',
    1,
    true,
    null,
    ['JWT'],
    ['at+jwt'],
    {},
  ])('is refused with the type %j', async (typ) => {
    await expect(check(name, { header: { typ } })).rejects.toMatchObject(refused);
  });

  it.each<[what: string, changes: Changes]>([
    ['another token inside', { header: { cty: 'JWT' } }],
    ['any content type', { header: { cty: null } }],
    [
      'a logout event',
      { claims: { events: { 'http://schemas.openid.net/event/backchannel-logout': {} }, sid: '1' } },
    ],
    ['events of any shape', { claims: { events: null } }],
    ['a DPoP key', { claims: { cnf: { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' } } }],
    [
      'a client certificate',
      { claims: { cnf: { 'x5t#S256': 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2' } } },
    ],
    ['a critical extension', { header: { crit: ['exp'], exp: NOW } }],
    ['a critical extension that exists', { header: { crit: ['b64'], b64: false } }],
    ['no critical extension', { header: { crit: [] } }],
    ['one type twice', { headJson: (text) => text.replace(/"typ":"[^"]*"/, '$&,$&') }],
    ['two types', { headJson: inserting('"typ":"logout+jwt"') }],
    ['two algorithms', { headJson: inserting('"alg":"none"') }],
    ['two subjects', { json: inserting('"sub":"bo"') }],
    ['two expiries', { json: (text) => text.replace(/}$/, `,"exp":${NOW + 9_000}}`) }],
    ['two values of email_verified', { json: inserting('"email_verified":false,"email_verified":true') }],
    ['a subject twice with one value', { json: (text) => text.replace(/"sub":"[^"]*"/, '$&,$&') }],
    [
      'an audience twice with one value',
      { json: (text) => text.replace('"aud":"codec"', '"aud":"codec","aud":"codec"') },
    ],
    ['an object twice with equal content', { json: inserting('"a":{"b":1},"a":{"b":1}') }],
    ['__proto__ twice', { json: inserting('"__proto__":1,"__proto__":1') }],
    ['a repeated name deep inside', { json: inserting('"a":[{"b":{"c":1,"c":2}}]') }],
    ['a repeated name that is escaped once', { json: inserting('"\\u0073ub":"bo"') }],
    ['no object', { json: () => '[]' }],
    ['bytes after its claims', { json: (text) => `${text} {}` }],
    ['claims that are encoded as JSON twice', { json: (text) => JSON.stringify(text) }],
    ['an expiry that is text', { claims: { exp: `${NOW + 600}` } }],
    ['a start that is text', { claims: { nbf: '0' } }],
    ['an issue time above every number', { json: (text) => text.replace(/"iat":\d+/, '"iat":1e400') }],
    ['an issue time below every number', { json: (text) => text.replace(/"iat":\d+/, '"iat":-1e400') }],
    ['an expiry below every number', { json: (text) => text.replace(/"exp":\d+/, '"exp":-1e400') }],
    ['a start above every number', { json: inserting('"nbf":1e400') }],
    ['an issuer in a list', { json: (text) => text.replace(/"iss":("[^"]+")/, '"iss":[$1]') }],
    ['an audience that contains its name', { claims: { aud: 'codec2' } }],
    ['an audience in a nested list', { claims: { aud: [['codec']] } }],
    ['an audience as a field', { claims: { aud: { codec: true } } }],
    ['a subject that is not text', { claims: { sub: 7 } }],
    ['an empty subject', { claims: { sub: '' } }],
  ])('is refused with %s', async (_, changes) => {
    await expect(check(name, changes)).rejects.toMatchObject(refused);
  });
});

describe('verifier', () => {
  it.each([
    ['ID', 'access'],
    ['ID', 'access-untyped'],
    ['Refresh', 'access-untyped'],
    ['Offline', 'access-untyped'],
    ['Logout', 'access-untyped'],
    ['DPoP', 'access-untyped'],
    ['Bearer', 'id'],
    ['Refresh', 'id'],
    ['Logout', 'id'],
  ])('refuses a Keycloak token of type %s if the policy accepts %s', async (typ, name) => {
    await expect(check(name, { claims: { typ } })).rejects.toMatchObject(refused);
  });

  it.each([
    ['id', 'access'],
    ['id', 'access-untyped'],
    ['access', 'id'],
    [['access'], 'access'],
    [null, 'id'],
  ])('refuses a Cognito token for %j if the policy accepts %s', async (use, name) => {
    await expect(check(name, { claims: { token_use: use } })).rejects.toMatchObject(refused);
  });

  it.each([
    ['access', { typ: 'Bearer' }],
    ['access-untyped', { typ: 'bearer' }],
    ['access-untyped', { token_use: 'access' }],
    ['id', { typ: 'ID' }],
    ['id', { token_use: 'id' }],
  ])('accepts a token if the policy accepts %s and its claims are %j', async (name, claims) => {
    await expect(check(name, { claims })).resolves.toBeUndefined();
  });

  it.each([
    ['access', 'AT+JWT'],
    ['access', 'application/at+jwt'],
    ['access-untyped', 'at+jwt'],
    ['access-untyped', undefined],
    ['id', 'application/jwt'],
    ['id', undefined],
    ['assertion', 'jwt'],
  ])('accepts, if the policy accepts %s, a token of type %s', async (name, typ) => {
    await expect(check(name, { header: { typ } })).resolves.toBeUndefined();
  });

  it('refuses claims that are nested deeper than the stack allows', async () => {
    await expect(check('access', { json: nested })).rejects.toMatchObject(refused);
  });
});
