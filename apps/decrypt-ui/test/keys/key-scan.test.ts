import { STOPS_WITHIN_MS } from '@temporal-kms/codec-api';
import { describe, expect, test } from 'vitest';
import { isUnneeded, type Scanned, storedElsewhere, storedUnder } from '../../src/keys/key-scan.ts';
import { fixtureKeys, fixtureScan } from '../fixtures/keys.ts';

const NOW = Date.parse('2026-11-24T13:05:00Z');

function scannedOf(mode: 'scanned' | 'complete'): Scanned {
  const scan = fixtureScan(mode, NOW);
  if (scan.status !== 'scanned') throw new Error('The fixture must be a scan.');
  return scan.scanned;
}
const complete = scannedOf('complete');
const { keys } = fixtureKeys('payments', NOW, false);
const [payments = '', kyc = ''] = keys.map(({ name }) => name);

test('sums the payloads and histories that a scan found in all places', () => {
  expect(storedUnder(complete, payments, 7)).toEqual({ payloads: 40_112, histories: 6_480, active: 180 });
  expect(storedUnder(complete, payments, 4)).toEqual({ payloads: 0, histories: 0, active: 0 });
  expect(storedUnder(scannedOf('scanned'), kyc, undefined)).toMatchObject({ payloads: 31 });
});

test('lists the versions in a scan that the table of keys does not contain', () => {
  const found = storedElsewhere(scannedOf('scanned'), keys);
  expect(found.map(({ name, version }) => [name.split('/').at(-1), version])).toEqual([['old-2023', 1]]);
  // If Cloud KMS does not answer, the table contains only versions that were used.
  const unknown = keys.map((key) => ({ ...key, versions: [] }));
  expect(storedElsewhere(complete, unknown)).toHaveLength(complete.keys.length);
});

const versionOf = (number: number) => {
  const found = keys[0]?.versions.find(({ version }) => version === number);
  if (!found) throw new Error('The fixture has no such version.');
  return found;
};

describe('a version', () => {
  const observed = (change: Partial<Scanned['cryptoKeys'][number]['versions'][number]>) => ({
    cryptoKeys: complete.cryptoKeys.map((each) => ({
      ...each,
      versions: each.versions.map((version) => (version.version === 4 ? { ...version, ...change } : version)),
    })),
  });
  const beforeScan = (milliseconds: number) =>
    new Date(Date.parse(complete.started) - milliseconds).toISOString();

  test('is unneeded if a complete scan found no message encrypted under it', () => {
    expect(isUnneeded(complete, payments, versionOf(4))).toBe(true);
    expect(isUnneeded(complete, payments, versionOf(5))).toBe(false);
  });

  test('is never unneeded if it was created after the scan', () => {
    const created = { ...versionOf(4), version: 8, created: new Date(NOW - 1_000).toISOString() };
    expect(isUnneeded(complete, payments, created)).toBe(false);
  });

  test('is never unneeded if it is primary or was used after the scan started', () => {
    expect(isUnneeded(complete, payments, { ...versionOf(4), primary: true })).toBe(false);
    const used = (milliseconds: number) => ({
      ...versionOf(4),
      seen: { payloads: 1, lastSeen: beforeScan(milliseconds) },
    });
    expect(isUnneeded(complete, payments, used(1))).toBe(true);
    expect(isUnneeded(complete, payments, used(0))).toBe(false);
  });

  test.each([
    [STOPS_WITHIN_MS, true],
    [STOPS_WITHIN_MS - 1, false],
  ])('is unneeded if it stopped being primary %i ms before the scan: %s', (milliseconds, expected) => {
    const changed = observed({ notPrimarySince: beforeScan(milliseconds) });
    expect(isUnneeded({ ...complete, ...changed }, payments, versionOf(4))).toBe(expected);
  });

  test.each<[string, Partial<Scanned>]>([
    ['the scan is incomplete', { complete: false }],
    ['the scan ended early', { finished: undefined }],
    ['the scan has a gap', { gaps: [{ kind: 'inner_layer', message: 'Another codec.' }] }],
    [
      'the scan did not read the closed runs',
      { looked: { ...complete.looked, closed: { status: 'none', histories: 0, read: 0, payloads: 0 } } },
    ],
    ['it is unknown when the version stopped being primary', observed({ notPrimarySince: undefined })],
    ['the scan did not find the key', { cryptoKeys: [] }],
    [
      'a message under the key names no version',
      { keys: [...complete.keys, { key: payments, formats: {}, places: {} }] },
    ],
    ['a message names no key', { keys: [...complete.keys, { formats: {}, places: {} }] }],
  ])('is never unneeded if %s', (_, change) => {
    expect(isUnneeded({ ...complete, ...change }, payments, versionOf(4))).toBe(false);
  });
});
