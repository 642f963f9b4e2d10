import { chmod, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  namespaceKeys,
  type ScannedKey,
  type ScannedNamespace,
  type ScanReport,
} from '@temporal-kms/codec-api';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createMetrics } from '../../src/observability/metrics.ts';
import { scanReports } from '../../src/observability/scan-reports.ts';
import { folderForFile } from '../support/for-file.ts';
import { appWith, headers, keys, startKms } from '../support/stack.ts';

const none = { status: 'none', histories: 0, read: 0, payloads: 0 } as const;

const scannedOf = (namespace: string): ScannedNamespace => ({
  namespace,
  started: '2026-11-24T12:00:00.000Z',
  finished: '2026-11-24T12:10:00.000Z',
  complete: true,
  looked: {
    open: { status: 'complete', histories: 3, read: 3, payloads: 40 },
    closed: none,
    schedules: none,
    archived: none,
    exports: none,
  },
  exports: [`/var/exports/${namespace}`],
  keys: [
    {
      key: keys.payments,
      version: 1,
      formats: { 'envelope-v2': 40 },
      places: { open: { histories: 3, payloads: 40, oldest: { workflowId: `order-of-${namespace}` } } },
    },
  ],
  findings: [],
  gaps: [],
});

const observed = (key: string): ScannedKey => ({
  key,
  time: '2026-11-24T12:00:00.000Z',
  primary: 2,
  versions: [{ version: 1, state: 'ENABLED', notPrimarySince: '2026-11-20T12:00:00.000Z' }],
});

const report = (...namespaces: readonly string[]): ScanReport => ({
  version: 1,
  started: '2026-11-24T12:00:00.000Z',
  complete: true,
  cryptoKeys: [keys.payments, keys.orders].map(observed),
  namespaces: namespaces.map(scannedOf),
});

const directory = await folderForFile();

let count = 0;
/** Writes a file as `temporal-kms scan` does: under a temporary name, which it then changes. */
async function written(content: unknown, path = join(directory, `${(count += 1)}.json`)): Promise<string> {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  await writeFile(`${path}.new`, text, { mode: 0o644 });
  await rename(`${path}.new`, path);
  return path;
}

describe('a scan report', () => {
  it('is reported as not configured if no file is configured', async () => {
    expect(await scanReports(undefined).of('payments', [keys.payments])).toEqual({
      status: 'not_configured',
    });
  });

  it('is returned without other namespaces, other keys or the locations of exports', async () => {
    const scans = scanReports(await written(report('orders', 'payments')));
    const { exports: _, ...expected } = scannedOf('payments');
    const found = await scans.of('payments', [keys.payments]);
    expect(found).toEqual({
      status: 'scanned',
      scanned: { ...expected, cryptoKeys: [observed(keys.payments)] },
    });
    expect(JSON.stringify(found)).not.toMatch(/orders|exports\//);
    expect(await scans.of('kyc', [keys.payments])).toEqual({
      status: 'not_scanned',
      started: '2026-11-24T12:00:00.000Z',
    });
  });

  it('does not reveal the file or bucket of an export that could not be read', async () => {
    const gap = { kind: 'unreadable' as const, count: 2 };
    const gaps = [
      { ...gap, place: 'exports' as const, message: 'gs://secret-bucket/of-payments/1.pb: it is damaged' },
      { ...gap, place: 'closed' as const, message: "Temporal's response cannot be read." },
    ];
    const scans = scanReports(
      await written({ ...report(), namespaces: [{ ...scannedOf('payments'), gaps }] }),
    );
    const found = await scans.of('payments', []);
    expect(JSON.stringify(found)).not.toContain('secret-bucket');
    expect(found).toMatchObject({ scanned: { gaps: [{ ...gap, place: 'exports' }, gaps[1]] } });
  });

  it('is read again when the file changes, but only once for many requests', async () => {
    const path = await written(report('orders'));
    const logged: string[] = [];
    const scans = scanReports(path, (message) => logged.push(message));
    const found = await Promise.all(['payments', 'orders', 'payments'].map((name) => scans.of(name, [])));
    expect(found.map(({ status }) => status)).toEqual(['not_scanned', 'scanned', 'not_scanned']);
    expect(logged).toEqual(['scan report read']);
    await written(report('payments'), path);
    expect((await scans.of('payments', [keys.payments])).status).toBe('scanned');
    await written('{', path);
    expect((await scans.of('payments', [keys.payments])).status).toBe('unreadable');
    await written(report('payments'), path);
    expect((await scans.of('payments', [keys.payments])).status).toBe('scanned');
    expect(logged).toHaveLength(4);
  });

  it.each([
    ['is truncated', JSON.stringify(report('payments')).slice(0, -9), /not JSON: it may be truncated/],
    [
      'has another version',
      { ...report('payments'), version: 2 },
      /has the version 2, and .* reads version 1/,
    ],
    ['is another document', { version: 1, namespaces: 'none' }, /not a report of temporal-kms scan \(at /],
    ['is not an object', [], /not a report of temporal-kms scan/],
  ])('is refused if it %s', async (_, content, message) => {
    const path = await written(content);
    const found = await scanReports(path).of('payments', [keys.payments]);
    expect(found).toEqual({ status: 'unreadable', message: expect.stringMatching(message) });
    expect(JSON.stringify(found)).not.toContain(directory);
  });

  it('is refused if it is missing, too large, or writable by others', async () => {
    const path = await written(report('payments'));
    const messageOf = async (file: string, maxBytes?: number) => {
      const found = await scanReports(file, undefined, maxBytes).of('payments', [keys.payments]);
      expect(JSON.stringify(found)).not.toContain(directory);
      return 'message' in found ? found.message : found.status;
    };
    expect(await messageOf(join(directory, 'missing.json'))).toMatch(/does not exist or is not readable$/);
    expect(await messageOf(path, 100)).toMatch(/\(SCAN_REPORT_FILE\) has more than 100 bytes$/);
    expect(await messageOf(directory)).toContain('is not a regular file');
    await chmod(path, 0o666);
    expect(await messageOf(path)).toMatch(/can be written by its group or by others: run chmod go-w$/);
    await chmod(path, 0o644);
    expect(await messageOf(path)).toBe('scanned');
  });

  it("is part of a namespace's keys", async () => {
    const kms = await startKms({ payments: { encrypt: keys.payments } });
    onTestFinished(() => kms.close());
    const ask = async (file: string | undefined) => {
      const app = appWith(kms, { scans: scanReports(file) });
      const response = await app.request('/api/namespaces/payments/keys', { headers });
      expect(response.status).toBe(200);
      return namespaceKeys.parse(await response.json()).scan;
    };
    expect(await ask(undefined)).toEqual({ status: 'not_configured' });
    expect(await ask(await written(report('payments')))).toMatchObject({
      status: 'scanned',
      scanned: {
        keys: [{ version: 1, places: { open: { histories: 3 } } }],
        cryptoKeys: [{ key: keys.payments, versions: [{ notPrimarySince: '2026-11-20T12:00:00.000Z' }] }],
      },
    });
  });
});

const withState = (state: string): ScanReport => ({
  ...report('payments'),
  cryptoKeys: [{ ...observed(keys.payments), versions: [{ version: 1, state }] }],
});
const samplesOf = (path: string) => {
  const metrics = createMetrics();
  metrics.followScans(scanReports(path));
  return async () => (await metrics.text()).split('\n').filter((line) => line.startsWith('codec_scan_'));
};
const histories = (state: string, value: number | 'NaN') =>
  `codec_scan_histories{namespace="payments",key="${keys.payments}",version="1",state="${state}"} ${value}`;

describe('last-scan metrics', () => {
  it('count the histories that need each key version, with the version’s state but without workflow ids', async () => {
    const path = await written(withState('DESTROYED'));
    const samples = samplesOf(path);
    const [age, ...series] = await samples();
    expect(Number(age!.replace('codec_scan_report_age_seconds ', ''))).toBeGreaterThan(0);
    expect(series).toEqual([histories('DESTROYED', 3)]);

    await written({ ...withState('DESTROYED'), namespaces: [] }, path);
    expect(await samples()).toContain(histories('DESTROYED', 0));
    await written(withState('ENABLED'), path);
    expect(await samples()).toEqual(
      expect.arrayContaining([histories('DESTROYED', 0), histories('ENABLED', 3)]),
    );
  });

  it('contain no stale values while the report cannot be read', async () => {
    const path = await written(withState('DESTROYED'));
    const samples = samplesOf(path);
    await samples();
    await written('{', path);
    expect(await samples()).toEqual(['codec_scan_report_age_seconds NaN', histories('DESTROYED', 'NaN')]);
  });
});
