import { hash } from 'node:crypto';
import { KeyRules, type NamespaceRule } from '@temporal-kms/kms-codec';
import { expect, it } from 'vitest';
import { accessLoader } from '../../src/access/policy-access.ts';
import { keptLog } from '../support/kept-log.ts';
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
  // Here, `order` is a former name of the namespace, and callers with the permission in `order` may decode
  // its messages.
  expect(warned({ payments: { ...rule, accepts: ['order'] } })).toMatchObject([{ namespaces: ['paymnets'] }]);
  expect(warned({}, rule)).toEqual([]);
});

const accessWith = (more: string, tokens?: string) => {
  const file = policyFile(`${company('http://127.0.0.1:1', 'codec', tokens)}\n${more}\n...\n`);
  return accessLoader(file, { log: keptLog().log, canDecrypt: () => true })();
};
const signInWith = (tokens: string, dashboard: string) =>
  accessWith(`  proxy: { type: iap, audience: a }\n${dashboard}`, tokens).signIn();

it('names the token that a web page must send: the ID token only if the policy accepts ID tokens', () => {
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
