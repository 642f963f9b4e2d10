import { type NeededKey, type ScanGap, STOPS_WITHIN_MS } from '@temporal-kms/codec-api';
import { cryptoKeyId, defaultLimits, type KeyDescription } from '@temporal-kms/kms-codec';
import { describe, expect, it } from 'vitest';
import type { DestroyQuestion } from '../../src/destroy/question.ts';
import { judge } from '../../src/destroy/verdict.ts';
import {
  at,
  codes,
  destroyed,
  HOUR,
  KEY,
  namespace,
  now,
  NUMBERED,
  question,
  report,
  version,
} from '../support/question.ts';

const OTHER = `${KEY}-other`;

const cryptoKeys = (primary: number) => [{ key: KEY, time: at(2), primary, versions: [] }];

const withKey = (
  key: Omit<NeededKey, 'formats' | 'places'>,
  closedHoursAgo?: number,
  further: readonly string[] = [],
) => {
  const newest = {
    workflowId: 'w',
    ...(closedHoursAgo === undefined ? {} : { closeTime: at(closedHoursAgo) }),
  };
  const places = {
    [closedHoursAgo === undefined ? 'open' : 'closed']: { histories: 1, payloads: 1, newest },
  };
  const known = report([]).cryptoKeys;
  const others = further.map((name) => ({ key: name, time: at(2), versions: [] }));
  return {
    reports: [
      report([namespace({ keys: [{ ...key, formats: {}, places }] })], { cryptoKeys: [...known, ...others] }),
    ],
  };
};
const withGap = (gap: ScanGap) => ({ reports: [report([namespace({ gaps: [gap] })])] });

const stated = (hoursAgo: number) => ({ notPrimarySince: new Date(now - hoursAgo * HOUR) });
const seen = (lastPrimary: string) => {
  const [observed] = report([]).cryptoKeys;
  const versions = observed!.versions.map((one) => (one.version === 1 ? { ...one, lastPrimary } : one));
  return { reports: [report([namespace()], { cryptoKeys: [{ ...observed!, versions }] })] };
};

describe('a version', () => {
  it('may be destroyed if nothing needs it, the scan saw everything, and no program encrypts under it', () => {
    expect(judge(question())).toMatchObject({ mayDestroy: true, reasons: [], evidence: [] });
  });

  it.each<[string, Partial<DestroyQuestion>, string]>([
    ['is primary', { version: 3, notPrimarySince: new Date(now - 90 * HOUR) }, 'primary'],
    ['does not exist', { version: 9 }, 'no_version'],
    ['does not exist, but a message may need it', { version: 9, ...withKey({ key: KEY }) }, 'no_version'],
    ['is needed under the id of its crypto key', withKey({ keyId: cryptoKeyId(KEY), version: 1 }), 'needed'],
    ['may be needed by a message that names only the crypto key', withKey({ key: KEY }, 10), 'needed'],
    ['may be needed by a message that names no crypto key', withKey({}, 10), 'needed'],
    ['may be needed by an open run whose messages name no version', withKey({ key: KEY }), 'needed'],
    ['is in a namespace that was not scanned', { namespaces: ['payments', 'orders'] }, 'not_seen'],
    ['has a report without a namespace', { reports: [report([])], namespaces: [] }, 'not_seen'],
    [
      'may be needed by a message whose key id belongs to no known crypto key',
      withKey({ keyId: cryptoKeyId(`${KEY}-under-another-name`), version: 1 }),
      'needed',
    ],
    [
      'may be needed by a message that names a project by its number',
      withKey({ key: NUMBERED }, 10),
      'needed',
    ],
    [
      'may be needed by a message whose key id belongs to a configured name with a project number',
      withKey({ keyId: cryptoKeyId(NUMBERED), key: NUMBERED, version: 1 }),
      'needed',
    ],
    [
      'may be needed by a message whose key id belongs to a name with a project number in the report',
      withKey({ keyId: cryptoKeyId(NUMBERED), version: 1 }, 10, [NUMBERED]),
      'needed',
    ],
    [
      'is needed under its key id, although the name in the message differs',
      withKey({ keyId: cryptoKeyId(KEY), key: OTHER, version: 1 }),
      'needed',
    ],
    [
      'is needed in an unknown place',
      { reports: [report([namespace({ keys: [{ key: KEY, formats: {}, places: {} }] })])] },
      'needed',
    ],
    ['has a gap', withGap({ kind: 'external_storage', place: 'closed', message: 'x' }), 'not_seen'],
    ['has a scan that ended early', { reports: [report([namespace({ complete: false })])] }, 'not_seen'],
    [
      'has a report that is not complete',
      { reports: [report([namespace()], { complete: false })] },
      'not_seen',
    ],
    [
      'has a report of a scan that has not ended',
      { reports: [report([namespace()], { finished: undefined })] },
      'not_seen',
    ],
    ['has a report that is too old', { maxAgeMs: HOUR }, 'report_too_old'],
    ['has a report from the future', { now: new Date(now - 10 * HOUR) }, 'report_too_old'],
    ['was never observed', { reports: [report([namespace()], { cryptoKeys: [] })] }, 'may_still_encrypt'],
    [
      'stopped being primary only a short time ago',
      { notPrimarySince: new Date(now - 20 * HOUR) },
      'may_still_encrypt',
    ],
  ])('may not be destroyed if it %s', (_, over, code) => {
    const found = codes(over);
    expect(found).toContain(code);
    expect(judge(question(over)).mayDestroy).toBe(false);
  });

  it.each<[string, Partial<DestroyQuestion>]>([
    ['another version', withKey({ keyId: cryptoKeyId(KEY), version: 2 })],
    [
      'the same version of another crypto key',
      withKey({ keyId: cryptoKeyId(OTHER), key: OTHER, version: 1 }),
    ],
    [
      'another version, under a key id that belongs to no known crypto key',
      withKey({ keyId: cryptoKeyId(`${KEY}-under-another-name`), version: 2 }),
    ],
    ['another crypto key without a version', withKey({ key: OTHER })],
    ['a crypto key of that name in another project', withKey({ key: KEY.replace('acme', 'umbrella') })],
    ['another crypto key whose name contains a project number', withKey({ key: `${NUMBERED}-other` })],
    [
      'the same version of another crypto key in the report',
      withKey({ keyId: cryptoKeyId(OTHER), version: 1 }, 10, [OTHER]),
    ],
    ['a static key', withKey({ staticKey: 'sample' })],
    ['a message that is older than the version', withKey({ key: KEY }, 3_000)],
    [
      'a message that is older than the version, but not than an earlier version',
      { version: 2, ...stated(90), ...withKey({ key: KEY }, 500) },
    ],
  ])('may be destroyed if histories need %s', (_, over) => {
    expect(codes(over)).toEqual([]);
  });

  it('counts as replaced since the time that a person states, unless the scan found the version primary', () => {
    expect(
      codes({ ...stated(100), reports: [report([namespace()], { cryptoKeys: cryptoKeys(3) })] }),
    ).toEqual([]);
    expect(
      codes({ ...stated(100), reports: [report([namespace()], { cryptoKeys: cryptoKeys(1) })] }),
    ).toContain('may_still_encrypt');
  });

  it('does not count as replaced since a stated time if scans contradict it, or if the version did not exist yet', () => {
    expect(codes({ ...stated(90), ...seen(at(10)) })).toEqual(['may_still_encrypt']);
    expect(codes({ ...stated(90), ...seen('unreadable') })).toEqual(['may_still_encrypt']);
    expect(codes({ ...stated(90), ...seen(at(90)) })).toEqual([]);
    expect(codes({ version: 2, ...stated(102) })).toEqual(['may_still_encrypt']);
    expect(codes({ version: 2, ...stated(100) })).toEqual([]);
    const [reason] = judge(question({ ...stated(90), ...seen(at(10)) })).reasons;
    expect(reason!.message).toContain(at(10));
  });

  it.each<[string, KeyDescription['versions']]>([
    ['was created after that time', [version(1, 2_000), version(2, 101)]],
    [
      'was created 1 ms after that time',
      [version(1, 2_000), { ...version(2, 0), created: new Date(now - 200 * HOUR + 1) }],
    ],
    ['was created at an unknown time', [version(1, 2_000), { ...version(2, 0), created: undefined }]],
    ['was already destroyed', [version(1, 2_000), destroyed(version(2, 300), 200), version(3, 101)]],
    ['was never enabled', [version(1, 2_000), version(2, 300, 'GENERATION_FAILED'), version(3, 101)]],
    ['is still waiting for its key material', [version(1, 2_000), version(2, 300, 'PENDING_IMPORT')]],
    [
      'was imported after that time',
      [version(1, 2_000), { ...version(2, 300), generated: new Date(now - 150 * HOUR) }],
    ],
    ['is older than the version', [version(0, 3_000), version(1, 2_000), version(2, 101)]],
  ])('does not count as replaced since a time if the only other version %s', (_, versions) => {
    const description = { ...question().description, versions, primary: versions.at(-1)!.version };
    const of = (over: Partial<DestroyQuestion>) => codes({ description, ...over });
    expect(of(stated(200))).toEqual(['may_still_encrypt']);
    if (versions.some(({ state }) => state === 'DESTROYED')) return;
    // A report with this impossible time was modified or is about another key, so its time does not count.
    const [observed] = report([]).cryptoKeys;
    const changed = observed!.versions.map((one) => ({ ...one, notPrimarySince: at(200) }));
    const edited = report([namespace()], { cryptoKeys: [{ ...observed!, versions: changed }] });
    expect(of({ reports: [edited] })).toEqual(['may_still_encrypt']);
  });

  it('counts as replaced since a stated time if a later version existed then, even if that version is now destroyed', () => {
    const versions = [version(1, 2_000), destroyed(version(2, 300), 150), version(3, 101)];
    expect(codes({ description: { ...question().description, versions }, ...stated(200) })).toEqual([]);
  });

  it.each([
    ['the version itself', 2],
    ['an earlier version', 1],
    ['no version', undefined],
  ])(
    'does not count as replaced since a time if a later scan found %s primary, unless a person states the time',
    (_, primary) => {
      const [observed] = report([]).cryptoKeys;
      const versions = [{ version: 2, state: 'ENABLED', created: at(101), notPrimarySince: at(99) }];
      const first = report([namespace()], { cryptoKeys: [{ ...observed!, time: at(99), versions }] });
      const { primary: _primary, ...rest } = { ...observed!, time: at(60), versions: [] };
      const later = { ...rest, ...(primary === undefined ? {} : { primary }) };
      // This scan has another state folder, so it knows nothing about the first scan.
      const second = report([namespace()], { cryptoKeys: [later] });
      expect(codes({ version: 2, reports: [first] })).toEqual([]);
      expect(codes({ version: 2, reports: [first, second] })).toEqual(['may_still_encrypt']);
      if (primary === 2) return;
      expect(codes({ version: 2, reports: [first, second], ...stated(99) })).toEqual([]);
      const rolledBack = { description: { ...question().description, primary } };
      expect(codes({ version: 2, reports: [first], ...rolledBack })).toEqual(['may_still_encrypt']);
    },
  );

  it('may be destroyed as soon as the last program has stopped encrypting under it, but not earlier', () => {
    const started = now - 2 * HOUR;
    const since = (milliseconds: number) => ({
      notPrimarySince: new Date(started - STOPS_WITHIN_MS + milliseconds),
    });
    expect(codes(since(0))).toEqual([]);
    expect(codes(since(1))).toEqual(['may_still_encrypt']);
    expect(STOPS_WITHIN_MS).toBe(3 * HOUR + defaultLimits.hardAgeMs + HOUR);
  });
});
