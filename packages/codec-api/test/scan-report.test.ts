import { describe, expect, it } from 'vitest';
import { type ScanCoverage, type ScanReport, scanReport } from '../src/index.ts';

const KEY = 'projects/acme/locations/us-east1/keyRings/temporal-keys/cryptoKeys/payments';
const none: ScanCoverage = { status: 'none', histories: 0, read: 0, payloads: 0 };
const run = { workflowId: 'order-1', runId: 'r1', startTime: '2030-01-01T00:00:00Z' };

const report: ScanReport = {
  version: 1,
  server: { address: 'temporal.example.com:7233', clusterId: '62b006e6-ef65-4463-9fec-ab9763bdbbe2' },
  started: '2030-01-31T12:00:00Z',
  finished: '2030-01-31T12:05:00Z',
  complete: true,
  cryptoKeys: [
    {
      key: KEY,
      time: '2030-01-31T12:00:00Z',
      primary: 2,
      versions: [{ version: 1, state: 'ENABLED', created: '2029-01-01T00:00:00Z' }],
    },
  ],
  namespaces: [
    {
      namespace: 'payments',
      id: '01a227c1-9526-7818-bd1e-55b9b55a82ce',
      started: '2030-01-31T12:00:00Z',
      finished: '2030-01-31T12:05:00Z',
      complete: true,
      retentionSeconds: 86_400,
      looked: {
        open: { status: 'complete', histories: 2, read: 2, payloads: 9 },
        closed: { status: 'complete', histories: 10, read: 1, payloads: 50 },
        schedules: none,
        archived: none,
        exports: none,
      },
      exports: [],
      keys: [
        {
          key: KEY,
          keyId: '0123456789abcdef',
          version: 1,
          formats: { 'envelope-v2': 9 },
          places: { open: { histories: 2, payloads: 9, oldest: run, newest: run } },
        },
        { key: KEY, formats: { direct: 1 }, places: { schedules: { histories: 1, payloads: 1 } } },
      ],
      findings: [{ kind: 'plaintext', places: { closed: { histories: 1, payloads: 1, oldest: run } } }],
      gaps: [{ kind: 'external_storage', place: 'closed', message: 'References only.', count: 3 }],
    },
  ],
};

const changed = (change: (copy: any) => void): unknown => {
  const copy = structuredClone(report);
  change(copy);
  return copy;
};

describe('scanReport', () => {
  it('accepts keys with and without a version, findings and gaps', () => {
    expect(scanReport.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  });

  it.each<[string, (copy: any) => void]>([
    ['a report with another version', (copy) => (copy.version = 2)],
    [
      'a namespace that does not state what the scan read in one place',
      (copy) => delete copy.namespaces[0].looked.archived,
    ],
    ['a namespace that does not state whether it is complete', (copy) => delete copy.namespaces[0].complete],
    ['key version 0', (copy) => (copy.namespaces[0].keys[0].version = 0)],
    ['a key id of another length', (copy) => (copy.namespaces[0].keys[0].keyId = 'abcd')],
    ['a negative count', (copy) => (copy.namespaces[0].looked.open.histories = -1)],
    ['an unknown kind of gap', (copy) => (copy.namespaces[0].gaps[0].kind = 'other')],
    [
      'an unknown place',
      (copy) => (copy.namespaces[0].keys[0].places.backups = { histories: 1, payloads: 1 }),
    ],
  ])('rejects %s', (_, change) => {
    expect(scanReport.safeParse(changed(change)).success).toBe(false);
  });
});
