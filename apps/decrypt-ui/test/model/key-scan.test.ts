import { describe, expect, test } from 'vitest';
import { isUnneeded, type Scanned, storedElsewhere, storedUnder } from '../../src/model/key-scan.ts';
import { fixtureKeys, fixtureScan } from '../fixtures/keys.ts';

const NOW = Date.parse('2026-11-24T13:05:00Z');

function scannedOf(mode: 'scanned' | 'complete'): Scanned {
  const scan = fixtureScan(mode, NOW);
  if (scan.status !== 'scanned') throw new Error('The fixture is a scan.');
  return scan.scanned;
}
const complete = scannedOf('complete');
const { keys } = fixtureKeys('payments', NOW, false);
const [payments = '', kyc = ''] = keys.map(({ name }) => name);

test('adds the payloads and histories of all places', () => {
  expect(storedUnder(complete, payments, 7)).toEqual({ payloads: 40_112, histories: 6_480, active: 180 });
  expect(storedUnder(complete, payments, 4)).toEqual({ payloads: 0, histories: 0, active: 0 });
  expect(storedUnder(scannedOf('scanned'), kyc, undefined)).toMatchObject({ payloads: 31 });
});

test('lists what the table of keys does not contain', () => {
  const found = storedElsewhere(scannedOf('scanned'), keys);
  expect(found.map(({ name, version }) => [name.split('/').at(-1), version])).toEqual([['old-2023', 1]]);
  // Without an answer of Cloud KMS, the table contains used versions only.
  const unknown = keys.map((key) => ({ ...key, versions: [] }));
  expect(storedElsewhere(complete, unknown)).toHaveLength(complete.keys.length);
});

describe('a version is unneeded', () => {
  test('if a complete scan found no message under it', () => {
    expect(isUnneeded(complete, payments, 4)).toBe(true);
    expect(isUnneeded(complete, payments, 5)).toBe(false);
  });

  test.each<[string, Partial<Scanned>]>([
    ['the scan is incomplete', { complete: false }],
    ['it ended early', { finished: undefined }],
    ['it did not see something', { gaps: [{ kind: 'inner_layer', message: 'Another codec.' }] }],
    [
      'a message of the key names no version',
      { keys: [...complete.keys, { key: payments, formats: {}, places: {} }] },
    ],
    ['a message names no key', { keys: [...complete.keys, { formats: {}, places: {} }] }],
  ])('never if %s', (_, change) => {
    expect(isUnneeded({ ...complete, ...change }, payments, 4)).toBe(false);
  });
});
