import { describe, expect, it } from 'vitest';
import { type Changes, issuers, NOW, tokenOf, verify } from './support/signed.ts';

const names = Object.keys(issuers);
/** Returns a function that inserts members at the start of a JSON object. */
const inserting = (json: string) => (text: string) => text.replace('{', `{${json},`);
const nested = inserting(`"a":${'['.repeat(200_000)}${']'.repeat(200_000)}`);

/** Resolves if the server accepts a token from the issuer that is valid except for the changes. */
async function check(name: string, changes?: Changes): Promise<void> {
  await verify(name, tokenOf(name, changes));
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
    'at+application/jwt',
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
    ['white space before its header', { input: (text) => ` ${text}` }],
    ['white space before its claims', { input: (text) => text.replace('.', '.\n') }],
    ['white space after its claims', { input: (text) => `${text} ` }],
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
    ['nonce', 'access-untyped'],
    ['at_hash', 'access-untyped'],
    ['c_hash', 'access-untyped'],
    ['scope', 'id'],
    ['scp', 'id'],
  ])('refuses a token with the claim %s if the policy accepts %s', async (claim, name) => {
    await expect(check(name, { claims: { [claim]: 'a' } })).rejects.toMatchObject(refused);
  });

  it.each([
    [{ azp: 'other' }],
    [{ azp: null }],
    [{ azp: ['codec'] }],
    [{ aud: ['codec', 'other'] }],
    [{ aud: ['codec', 'dashboard'] }],
    [{ aud: ['codec', 'other'], azp: 'other' }],
  ])("refuses an ID token that is not for one of the policy's clients, with %j", async (claims) => {
    await expect(check('id', { claims })).rejects.toMatchObject(refused);
  });

  it.each([
    ['access', { typ: 'Bearer' }],
    ['access-untyped', { typ: 'bearer' }],
    ['access-untyped', { token_use: 'access' }],
    ['access', { nonce: 'a', aud: ['codec', 'other'], azp: 'other' }],
    ['access-untyped', { scope: 'a', scp: 'a', azp: 'other' }],
    ['id', { typ: 'ID' }],
    ['id', { token_use: 'id' }],
    ['id', { nonce: 'a', at_hash: 'a', c_hash: 'a' }],
    ['id', { aud: ['codec'] }],
    ['id', { azp: 'codec' }],
    ['id', { aud: ['other', 'codec'], azp: 'dashboard' }],
    ['id', { middle_name: null }],
    ['assertion', { typ: 'Refresh', token_use: 'id', nonce: 'a', scope: 'a' }],
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
  ])('accepts a token if the policy accepts %s and its type is %s', async (name, typ) => {
    await expect(check(name, { header: { typ } })).resolves.toBeUndefined();
  });

  it('refuses claims that are nested deeper than the stack allows', async () => {
    await expect(check('access', { json: nested })).rejects.toMatchObject(refused);
  });
});
