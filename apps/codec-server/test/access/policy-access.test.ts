import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyRules, type NamespaceRule } from '@temporal-kms/kms-codec';
import { expect, it } from 'vitest';
import { accessLoader } from '../../src/access/policy-access.ts';
import { keptLog, keys } from '../support/stack.ts';

const policy = (namespaces: string): string => `
issuers:
  company: { type: oidc, issuer: 'http://127.0.0.1:1', audience: codec, tokens: access }
rules:
  - { issuer: company, match: { sub: ana }, namespaces: ${namespaces}, permissions: [decode] }
  - { issuer: company, match: { sub: auditor }, namespaces: '*', permissions: [audit] }
namespaces:
  paymnets: { reveal: on-demand }
...
`;

it('warns of namespaces that the policy names and the server has no keys for', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'policy-')), 'policy.yaml');
  writeFileSync(file, policy('[payments, order, order]'));
  const warned = (namespaces: Record<string, NamespaceRule>, byDefault?: NamespaceRule): unknown[] => {
    const { log, lines } = keptLog();
    const rules = new KeyRules(namespaces, byDefault);
    accessLoader(file, { log, canDecrypt: (name) => rules.canDecrypt(name) })();
    return lines.map((line) => JSON.parse(line)).filter((line) => line.namespaces !== undefined);
  };
  const rule = { encrypt: keys.payments };
  expect(warned({ payments: rule })).toMatchObject([
    { namespaces: ['order', 'paymnets'], message: expect.stringContaining('no keys') },
  ]);
  // A former name: callers with the permission there may decode its messages.
  expect(warned({ payments: { ...rule, accepts: ['order'] } })).toMatchObject([{ namespaces: ['paymnets'] }]);
  expect(warned({}, rule)).toEqual([]);
});

const signInWith = (tokens: string, dashboard: string) => {
  const file = join(mkdtempSync(join(tmpdir(), 'policy-')), 'policy.yaml');
  const issuer = `company: { type: oidc, issuer: 'http://127.0.0.1:1', audience: codec, tokens: ${tokens} }`;
  writeFileSync(file, `issuers:\n  ${issuer}\n  proxy: { type: iap, audience: a }\n${dashboard}\n...\n`);
  return accessLoader(file, { log: keptLog().log, canDecrypt: () => true })().signIn();
};

it('names the token that a page must send: an ID token only if the policy accepts ID tokens', () => {
  const dashboard = 'dashboard: { issuer: company, clientId: page }';
  expect(signInWith('access', dashboard)?.token).toBe('access');
  expect(signInWith('access-untyped', dashboard)?.token).toBe('access');
  expect(signInWith('id', dashboard)?.token).toBe('id');
  expect(signInWith('access', '')).toBeUndefined();
});

it('passes on the parameters that the issuer requires in an authorization request', () => {
  const dashboard = 'dashboard: { issuer: company, clientId: page, parameters: { audience: codec } }';
  expect(signInWith('access', dashboard)).toMatchObject({ parameters: { audience: 'codec' } });
});

it('refuses a dashboard whose issuer is a proxy', () => {
  expect(() => signInWith('access', 'dashboard: { issuer: proxy, clientId: page }')).toThrow(/type oidc/);
});

const minutesWith = (more: string) => {
  const file = join(mkdtempSync(join(tmpdir(), 'policy-')), 'policy.yaml');
  const issuer = "company: { type: oidc, issuer: 'http://127.0.0.1:1', audience: codec, tokens: access }";
  writeFileSync(file, `issuers:\n  ${issuer}\n${more}\n...\n`);
  const access = accessLoader(file, { log: keptLog().log, canDecrypt: () => true })();
  return ['cards', 'orders'].map((namespace) => access.revealMinutes(namespace));
};

it('limits a reveal by the namespace’s setting, or else the policy’s, or else to 15 minutes', () => {
  const namespaces =
    'namespaces: { cards: { reveal: on-demand, revealMinutes: 5 }, orders: { reveal: on-demand } }';
  expect(minutesWith(namespaces)).toEqual([5, 15]);
  expect(minutesWith(`revealMinutes: 60\n${namespaces}`)).toEqual([5, 60]);
});
