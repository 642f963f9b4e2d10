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
    { namespaces: ['order', 'paymnets'], msg: expect.stringContaining('no keys') },
  ]);
  // A former name: callers with the permission there may decode its messages.
  expect(warned({ payments: { ...rule, accepts: ['order'] } })).toMatchObject([{ namespaces: ['paymnets'] }]);
  expect(warned({}, rule)).toEqual([]);
});
