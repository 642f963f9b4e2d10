import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { accessLoader } from '../../src/access/load.ts';
import { keptLog } from '../support/stack.ts';

const policy = (namespaces: string): string => `
issuers:
  company: { type: oidc, issuer: 'http://127.0.0.1:1', audience: codec, tokens: access }
rules:
  - { issuer: company, match: { sub: ana }, namespaces: ${namespaces}, permissions: [decode] }
  - { issuer: company, match: { sub: auditor }, namespaces: '*', permissions: [audit] }
namespaces:
  paymnets: { reveal: on-demand }
`;

test('namespaces that the policy names and the server has no keys for are warned of', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'policy-')), 'policy.yaml');
  writeFileSync(file, policy('[payments, order, order]'));
  const warned = (served: readonly string[]): unknown[] => {
    const { log, lines } = keptLog();
    accessLoader(file, { log, serves: (name) => served.includes(name) })();
    return lines.map((line) => JSON.parse(line)).filter((line) => line.namespaces !== undefined);
  };
  expect(warned(['payments'])).toMatchObject([
    { namespaces: ['order', 'paymnets'], msg: expect.stringContaining('no keys') },
  ]);
  expect(warned(['payments', 'order', 'paymnets'])).toEqual([]);
});
