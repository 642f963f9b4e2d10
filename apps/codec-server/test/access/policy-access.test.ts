import { hash } from 'node:crypto';
import { KeyRules, type NamespaceRule } from '@temporal-kms/kms-codec';
import { describe, expect, it } from 'vitest';
import type { Access, Caller } from '../../src/access/access.ts';
import { accessLoader } from '../../src/access/policy-access.ts';
import { parsePolicy } from '../../src/access/policy.ts';
import { keptLog } from '../support/kept-log.ts';
import { accessOf, issuersOf } from './support/issuers.ts';
import { company, policyFile } from './support/policy-file.ts';

const policy = (namespaces: string): string => `${company('http://127.0.0.1:1', 'codec')}
rules:
  - { issuer: company, match: { sub: ana }, namespaces: ${namespaces}, permissions: [decode] }
  - { issuer: company, match: { sub: auditor }, namespaces: '*', permissions: [audit] }
namespaces:
  paymnets: { reveal: on-demand }
...
`;

it('warns about namespaces in the policy for which the server has no keys', () => {
  const file = policyFile(policy('[payments, order, order]'));
  const warned = (namespaces: Record<string, NamespaceRule>, byDefault?: NamespaceRule): unknown[] => {
    const { log, lines } = keptLog();
    const rules = new KeyRules(namespaces, byDefault);
    accessLoader(file, { log, canDecrypt: (name) => rules.canDecrypt(name) })();
    return lines.map((line) => JSON.parse(line)).filter((line) => line.namespaces !== undefined);
  };
  const rule = { encrypt: 'projects/p/locations/global/keyRings/r/cryptoKeys/payments' };
  expect(warned({ payments: rule })).toMatchObject([
    { namespaces: ['order', 'paymnets'], message: expect.stringContaining('no keys') },
  ]);
  // Here, `payments` was once called `order`, so a rule about `order` decides who may decode its old
  // messages.
  expect(warned({ payments: { ...rule, accepts: ['order'] } })).toMatchObject([{ namespaces: ['paymnets'] }]);
  expect(warned({}, rule)).toEqual([]);
});

const accessWith = (more: string, tokens?: string) => {
  const file = policyFile(`${company('http://127.0.0.1:1', 'codec', tokens)}\n${more}\n...\n`);
  return accessLoader(file, { log: keptLog().log, canDecrypt: () => true })();
};
const signInWith = (tokens: string, dashboard: string) =>
  accessWith(`  proxy: { type: iap, audience: a }\n${dashboard}`, tokens).signIn();

it('tells a web page to send the ID token if the policy accepts ID tokens, and otherwise the access token', () => {
  const dashboard = 'dashboard: { issuer: company, clientId: page }';
  expect(signInWith('access', dashboard)?.token).toBe('access');
  expect(signInWith('access-untyped', dashboard)?.token).toBe('access');
  expect(signInWith('id', dashboard)?.token).toBe('id');
  expect(signInWith('access', '')).toBeUndefined();
  expect(signInWith('access', dashboard)).toStrictEqual({
    issuer: 'http://127.0.0.1:1',
    clientId: 'page',
    scopes: ['openid', 'email'],
    token: 'access',
  });
});

it('returns the parameters that the issuer requires in an authorization request', () => {
  const dashboard =
    'dashboard: { issuer: company, clientId: page, resource: codec, parameters: { audience: codec } }';
  expect(signInWith('access', dashboard)).toMatchObject({
    resource: 'codec',
    parameters: { audience: 'codec' },
  });
});

it("rejects a proxy as the dashboard's issuer", () => {
  expect(() => signInWith('access', 'dashboard: { issuer: proxy, clientId: page }')).toThrow(/type oidc/);
});

const minutesWith = (more: string) => {
  const access = accessWith(more);
  return ['cards', 'orders'].map((namespace) => access.revealMinutes(namespace));
};

it('takes `revealMinutes` from the namespace’s settings, or else from the policy’s; the default is 15', () => {
  const namespaces =
    'namespaces: { cards: { reveal: on-demand, revealMinutes: 5 }, orders: { reveal: on-demand } }';
  expect(minutesWith(namespaces)).toEqual([5, 15]);
  expect(minutesWith(`revealMinutes: 60\n${namespaces}`)).toEqual([5, 60]);
  expect(minutesWith('')).toEqual([15, 15]);
});

it('takes `reveal` from the namespace’s settings, or else from the policy’s', () => {
  const access = accessWith('reveal: on-demand\nnamespaces: { cards: { reveal: automatic } }');
  expect(['cards', 'orders'].map((name) => access.reveal(name))).toEqual(['automatic', 'on-demand']);
});

it('logs the digest and size of the policy in force', () => {
  const { log, lines } = keptLog();
  const file = policyFile(policy('[payments]'));
  accessLoader(file, { log, canDecrypt: () => true })();
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { file, sha256: hash('sha256', policy('[payments]')), bytes: policy('[payments]').length },
  ]);
});

const withProxy = parsePolicy(`${company('https://login.example.com/', 'codec')}
  partner: { type: oidc, issuer: 'https://partner.example.com/', audience: codec, tokens: access }
  proxy: { type: iap, audience: backend }
rules:
  - { issuer: company, match: { sub: ana }, namespaces: [payments], permissions: [decode] }
...
`);
const issuers = await issuersOf(withProxy, Date.now);
const access = accessOf(withProxy, issuers);

const authenticate = async (
  headers: Readonly<Record<string, string>>,
  by: Access = access,
): Promise<Caller> => by.authenticate({ header: (name) => headers[name] });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const assertion = (token: string) => ({ 'x-goog-iap-jwt-assertion': token });
const invalid = { status: 401, challenge: expect.stringContaining('invalid_token') };

describe('policyAccess', () => {
  it("fetches every issuer's keys before the first token arrives", async () => {
    const fresh = await issuersOf(withProxy, Date.now);
    accessOf(withProxy, fresh);
    expect(fresh.asked).toEqual([
      'https://login.example.com/.well-known/openid-configuration',
      'https://partner.example.com/.well-known/openid-configuration',
      'https://www.gstatic.com/iap/verify/public_key-jwk',
    ]);
  });

  it("accepts a proxy's assertion in the proxy's header, whatever the Authorization header contains", async () => {
    const token = await issuers.token('proxy', { sub: 'dan' });
    expect((await authenticate(assertion(token))).subject).toBe('dan');
    expect((await authenticate({ ...bearer('for-the-proxy'), ...assertion(token) })).subject).toBe('dan');
  });

  it("accepts a bearer token without a proxy's assertion", async () => {
    const token = await issuers.token('company', { sub: 'ana' });
    expect((await authenticate(bearer(token))).subject).toBe('ana');
  });

  it("refuses a proxy's assertion in the Authorization header, and a bearer token in the proxy's header", async () => {
    const asserted = await issuers.token('proxy', {});
    await expect(authenticate(bearer(asserted))).rejects.toMatchObject(invalid);
    const token = await issuers.token('company', {});
    await expect(authenticate(assertion(token))).rejects.toMatchObject(invalid);
  });

  it("ignores the proxy's header if the policy lists no proxy", async () => {
    const { company: only } = withProxy.issuers;
    const alone = accessOf({ ...withProxy, issuers: { company: only! } }, issuers);
    const token = await issuers.token('company', { sub: 'ana' });
    expect((await authenticate({ ...bearer(token), ...assertion('any') }, alone)).subject).toBe('ana');
  });

  it.each(['https://other.example.com/', undefined])(
    'refuses a token whose issuer is %s, which the policy does not list',
    async (iss) => {
      const token = await issuers.token('company', {}, { claims: { iss } });
      await expect(authenticate(bearer(token))).rejects.toMatchObject(invalid);
    },
  );

  it('accepts each issuer’s tokens only if they are signed with that issuer’s keys', async () => {
    expect((await authenticate(bearer(await issuers.token('partner', { sub: 'bo' })))).subject).toBe('bo');
    const forged = await issuers.token('company', {}, { claims: { iss: 'https://partner.example.com/' } });
    await expect(authenticate(bearer(forged))).rejects.toMatchObject(invalid);
  });

  it('grants nothing to a caller whom it did not authenticate, even with equal fields', async () => {
    const caller = await authenticate(bearer(await issuers.token('company', { sub: 'ana' })));
    expect(access.allows(caller, 'decode', 'payments')).toBe(true);
    expect(access.allows({ ...caller }, 'decode', 'payments')).toBe(false);
  });

  it.each([
    ['the configured claim', { email: 'ana@example.com' }, 'ana@example.com'],
    ['the subject if the token lacks this claim', {}, 'ana'],
    ['the subject if this claim is empty', { email: '' }, 'ana'],
    ['the subject if this claim is not text', { email: 7 }, 'ana'],
    ['the subject if the address is unverified', { email: 'a@b.c', email_verified: false }, 'ana'],
  ])('names a caller by %s', async (_, claims, name) => {
    const token = await issuers.token('company', { sub: 'ana', ...claims });
    expect((await authenticate(bearer(token))).name).toBe(name);
  });
});
