import {
  type NeededKey,
  type ScanCoverage,
  type ScanGap,
  type ScannedNamespace,
  type ScanReport,
  STOPS_WITHIN_MS,
} from '@temporal-kms/codec-api';
import { cryptoKeyId, defaultLimits } from '@temporal-kms/kms-codec';
import { describe, expect, it } from 'vitest';
import { type DestroyQuestion, judge } from '../../src/destroy/verdict.ts';

const KEY = 'projects/acme/locations/us-east1/keyRings/temporal-keys/cryptoKeys/payments';
const OTHER = `${KEY}-other`;
const HOUR = 3_600_000;
const now = Date.UTC(2030, 0, 31);
const at = (hoursAgo: number): string => new Date(now - hoursAgo * HOUR).toISOString();
const read: ScanCoverage = { status: 'complete', histories: 5, read: 5, payloads: 5 };
const none: ScanCoverage = { status: 'none', histories: 0, read: 0, payloads: 0 };

const namespace = (over: Partial<ScannedNamespace> = {}): ScannedNamespace => ({
  namespace: 'payments',
  started: at(2),
  finished: at(1),
  complete: true,
  retentionSeconds: 86_400,
  looked: { open: read, closed: read, schedules: read, archived: none, exports: none },
  exports: [],
  keys: [],
  findings: [],
  gaps: [],
  ...over,
});

const report = (namespaces: ScannedNamespace[], over: Partial<ScanReport> = {}): ScanReport => ({
  version: 1,
  started: at(2),
  finished: at(1),
  complete: true,
  cryptoKeys: [
    {
      key: KEY,
      time: at(2),
      primary: 3,
      versions: [
        { version: 1, state: 'ENABLED', created: at(2_000), notPrimarySince: at(100) },
        { version: 2, state: 'ENABLED', created: at(101) },
        { version: 3, state: 'ENABLED', created: at(100) },
      ],
    },
  ],
  namespaces,
  ...over,
});

const version = (number: number, createdHoursAgo: number, state: any = 'ENABLED') => ({
  version: number,
  state,
  created: new Date(now - createdHoursAgo * HOUR),
  destroyTime: undefined,
});

const question = (over: Partial<DestroyQuestion> = {}): DestroyQuestion => ({
  key: KEY,
  version: 1,
  description: {
    key: KEY,
    protectionLevel: 'SOFTWARE',
    primary: 3,
    rotationPeriodSeconds: undefined,
    nextRotation: undefined,
    versions: [version(1, 2_000), version(2, 101), version(3, 100)],
  },
  report: report([namespace()]),
  namespaces: ['payments'],
  hasOtherNamespaces: false,
  maxAgeMs: 24 * HOUR,
  now: new Date(now),
  ...over,
});

const cryptoKeys = (primary: number) => [{ key: KEY, time: at(2), primary, versions: [] }];

const codes = (over: Partial<DestroyQuestion>): string[] =>
  judge(question(over)).reasons.map(({ code }) => code);
const withKey = (key: Omit<NeededKey, 'formats' | 'places'>, closedHoursAgo?: number) => {
  const newest = {
    workflowId: 'w',
    ...(closedHoursAgo === undefined ? {} : { closeTime: at(closedHoursAgo) }),
  };
  const places = {
    [closedHoursAgo === undefined ? 'open' : 'closed']: { histories: 1, payloads: 1, newest },
  };
  return { report: report([namespace({ keys: [{ ...key, formats: {}, places }] })]) };
};
const withGap = (gap: ScanGap) => ({ report: report([namespace({ gaps: [gap] })]) });

const stated = (hoursAgo: number) => ({ notPrimarySince: new Date(now - hoursAgo * HOUR) });
const seen = (lastPrimary: string) => {
  const [observed] = report([]).cryptoKeys;
  const versions = observed!.versions.map((one) => (one.version === 1 ? { ...one, lastPrimary } : one));
  return { report: report([namespace()], { cryptoKeys: [{ ...observed!, versions }] }) };
};

describe('a version', () => {
  it('may be destroyed if nothing needs it, everything was seen, and no program encrypts under it', () => {
    expect(judge(question())).toMatchObject({ mayDestroy: true, reasons: [], evidence: [] });
  });

  it.each<[string, Partial<DestroyQuestion>, string]>([
    ['is primary', { version: 3, notPrimarySince: new Date(now - 90 * HOUR) }, 'primary'],
    ['does not exist', { version: 9 }, 'no_version'],
    ['is needed under the id of its crypto key', withKey({ keyId: cryptoKeyId(KEY), version: 1 }), 'needed'],
    ['may be needed by a message that names the crypto key only', withKey({ key: KEY }, 10), 'needed'],
    ['may be needed by a message that names no crypto key', withKey({}, 10), 'needed'],
    ['may be needed by an open run whose messages name no version', withKey({ key: KEY }), 'needed'],
    ['is in a namespace that was not scanned', { namespaces: ['payments', 'orders'] }, 'not_seen'],
    ['has a report without a namespace', { report: report([]), namespaces: [] }, 'not_seen'],
    [
      'may be needed by a message whose key id is of no known crypto key',
      withKey({ keyId: cryptoKeyId(`${KEY}-under-another-name`), version: 1 }),
      'needed',
    ],
    ['has a gap', withGap({ kind: 'external_storage', place: 'closed', message: 'x' }), 'not_seen'],
    ['has a scan that ended early', { report: report([namespace({ complete: false })]) }, 'not_seen'],
    ['has a report that is too old', { maxAgeMs: HOUR }, 'report_too_old'],
    ['has a report from the future', { now: new Date(now - 10 * HOUR) }, 'report_too_old'],
    ['was never observed', { report: report([namespace()], { cryptoKeys: [] }) }, 'may_still_encrypt'],
    [
      'stopped being primary a short time before',
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
      'another version under a key id of no known crypto key',
      withKey({ keyId: cryptoKeyId(`${KEY}-under-another-name`), version: 2 }),
    ],
    ['another crypto key without a version', withKey({ key: OTHER })],
    ['a static key', withKey({ staticKey: 'sample' })],
    ['a message that is older than the version', withKey({ key: KEY }, 3_000)],
  ])('may be destroyed if histories need %s', (_, over) => {
    expect(codes(over)).toEqual([]);
  });

  it('counts as stopped from the time that a person states, unless the scan found it to be primary', () => {
    expect(codes({ ...stated(100), report: report([namespace()], { cryptoKeys: cryptoKeys(3) }) })).toEqual(
      [],
    );
    expect(codes({ ...stated(100), report: report([namespace()], { cryptoKeys: cryptoKeys(1) }) })).toContain(
      'may_still_encrypt',
    );
  });

  it('counts as stopped from no time that scans contradict, or at which the version did not exist', () => {
    expect(codes({ ...stated(90), ...seen(at(10)) })).toEqual(['may_still_encrypt']);
    expect(codes({ ...stated(90), ...seen('unreadable') })).toEqual(['may_still_encrypt']);
    expect(codes({ ...stated(90), ...seen(at(90)) })).toEqual([]);
    expect(codes({ version: 2, ...stated(102) })).toEqual(['may_still_encrypt']);
    expect(codes({ version: 2, ...stated(100) })).toEqual([]);
    const [reason] = judge(question({ ...stated(90), ...seen(at(10)) })).reasons;
    expect(reason!.message).toContain(at(10));
  });

  it('may be destroyed from the moment at which the last program has stopped, and not a moment earlier', () => {
    const started = now - 2 * HOUR;
    const since = (milliseconds: number) => ({
      notPrimarySince: new Date(started - STOPS_WITHIN_MS + milliseconds),
    });
    expect(codes(since(0))).toEqual([]);
    expect(codes(since(1))).toEqual(['may_still_encrypt']);
    expect(STOPS_WITHIN_MS).toBe(3 * HOUR + defaultLimits.hardAgeMs + HOUR);
  });

  it('has a list of what no scan sees, also if it may be destroyed', () => {
    const { notSeen } = judge(question({ hasOtherNamespaces: true }));
    for (const what of [
      'archives',
      'exported',
      'backups',
      'other namespaces',
      'inside other messages',
      'gcloud logging read',
    ])
      expect(notSeen.join('\n')).toContain(what);
  });
});
