import { describe, expect, test } from 'vitest';
import {
  attention,
  health,
  keyPlace,
  type KeyVersion,
  mainVersions,
  minuteBars,
  unusable,
  versionState,
} from '../../src/keys/key-health.ts';
import { fixtureKeys } from '../fixtures/keys.ts';

const NOW = Date.parse('2026-11-24T13:05:00Z');
const format = { zone: 'utc', clock: '24' } as const;
const version = (state: string | undefined, more: Partial<KeyVersion> = {}): KeyVersion => ({
  version: 1,
  ...(state !== undefined && { state }),
  primary: false,
  seen: { payloads: 0 },
  ...more,
});

describe('a version’s state', () => {
  test.each([
    ['ENABLED', 'Enabled', 'ok', undefined],
    ['DISABLED', 'Disabled', 'pending', 'key_disabled'],
    ['DESTROY_SCHEDULED', 'To be destroyed', 'pending', 'key_destroy_scheduled'],
    ['DESTROYED', 'Destroyed', 'failed', 'key_destroyed'],
    ['IMPORT_FAILED', 'Import failed', 'failed', undefined],
    ['PENDING_GENERATION', 'Pending generation', 'pending', undefined],
    [undefined, 'Not known', 'neutral', undefined],
  ] as const)('%s is %s', (state, text, tone, reason) => {
    expect(versionState(version(state), format)).toEqual({ text, tone });
    expect(unusable(version(state))).toBe(reason);
  });

  test('names the day of destruction, and what to do before that day', () => {
    const scheduled = version('DESTROY_SCHEDULED', { destroyTime: '2026-11-29T09:12:00Z' });
    expect(versionState(scheduled, format).text).toMatch(/^Destroys 29 Nov/);
    expect(attention(scheduled, '29 Nov 09:12:00')).toBe('restore before 29 Nov 09:12:00');
    expect(attention(version('DISABLED', { primary: true }), undefined)).toContain('workers cannot encrypt');
  });
});

describe('namespace health', () => {
  const keys = fixtureKeys('payments', NOW, false);
  test('reports an unreachable Cloud KMS before anything else', () => {
    expect(health(fixtureKeys('payments', NOW, true))).toEqual({
      text: 'KMS unreachable',
      tone: 'timed-out',
    });
  });

  test('counts the last hour’s unreadable payloads', () => {
    // In the fixture, one failure is permanent; an administrator can fix the others.
    const text = expect.stringMatching(/^\d+ payloads unreadable in the last hour$/);
    expect(health(keys)).toEqual({ text, tone: 'failed' });
    const fixable = [
      { time: new Date(NOW).toISOString(), done: 3, refused: { key_disabled: 1, kms_quota: 2 } },
    ];
    expect(health({ ...keys, minutes: fixable }).tone).toBe('pending');
    expect(health({ ...keys, minutes: [] })).toEqual({
      text: 'No payloads in the last hour',
      tone: 'neutral',
    });
    const minutes = [{ time: new Date(NOW).toISOString(), done: 3, refused: {} }];
    expect(health({ ...keys, minutes })).toEqual({ text: 'Decrypting normally', tone: 'ok' });
  });

  test('is reported as failed while no primary version is enabled', () => {
    const [first, ...others] = keys.keys;
    const disabled = first!.versions.map((each) => ({ ...each, state: 'DISABLED' }));
    expect(health({ ...keys, keys: [{ ...first!, versions: disabled }, ...others] })).toEqual({
      text: 'No primary version is enabled',
      tone: 'failed',
    });
  });
});

test('the chart has a bar for each of the last 60 minutes, and adds up the failures by the tone of their reason', () => {
  const bars = minuteBars(
    {
      minutes: [
        { time: '2026-11-24T13:04:00.000Z', done: 5, refused: { key_disabled: 2, integrity_failed: 1 } },
      ],
    },
    NOW + 30_000,
  );
  expect(bars).toHaveLength(60);
  expect(bars.at(-1)?.time).toBe(NOW);
  expect(bars.at(-2)).toMatchObject({
    done: 5,
    failed: { pending: 2, failed: 1, 'timed-out': 0, neutral: 0 },
  });
});

test('the short list includes versions that are in use or need attention', () => {
  const versions = Array.from({ length: 40 }, (_, index) =>
    version(index === 35 ? 'DISABLED' : 'ENABLED', {
      version: 40 - index,
      primary: index === 0,
      seen: { payloads: index === 30 ? 4 : 0 },
    }),
  );
  const enabled = mainVersions(
    versions.map((each) => ({ ...each, state: each.state === 'ENABLED' ? 'DESTROYED' : each.state! })),
    5,
  );
  expect(enabled.map((each) => each.version)).toEqual([40, 39, 38, 10, 5]);
  expect(mainVersions(versions.slice(0, 3), 5)).toHaveLength(3);
});

test('splits a key’s name into its last part and its location', () => {
  expect(keyPlace('projects/p/locations/us-east1/keyRings/r/cryptoKeys/k')).toEqual({
    short: 'k',
    place: 'us-east1/r',
  });
  expect(keyPlace('other')).toEqual({ short: 'other', place: '' });
});
