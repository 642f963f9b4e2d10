import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createKmsCodec, KeyRules } from '@temporal-kms/kms-codec';
import { describe, expect, it, onTestFinished } from 'vitest';
import { metricsApp } from '../../src/routes/monitoring.ts';
import { createMetrics, type Metrics } from '../../src/observability/metrics.ts';
import { scanReports } from '../../src/observability/scan-reports.ts';
import { version } from '../../src/version.ts';
import { forFile } from '../support/for-file.ts';
import { collectGarbage } from '../support/memory.ts';
import { keptLog } from '../support/kept-log.ts';
import { appWith, bodyOf, headers, HOST, keys, post, startKms, text } from '../support/stack.ts';

const memory = { bytes: 64, inUse: 0, waits: 0, refusals: { busy: 0, too_large: 0 } };

const SECRET = 'canary-3e77a0';
const kms = forFile(await startKms());

interface Sample {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly value: number;
}

const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Parses every sample in Prometheus' text format. An invalid line fails the test. */
function parse(metrics: string): Sample[] {
  return metrics
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const found = /^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
      expect(found, line).not.toBeNull();
      const [, name, labels = '', value] = found!;
      return {
        name: name!,
        labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, key, text_]) => [key, text_])),
        value: Number(value),
      };
    });
}

/** Starts a server with metrics, and a separate codec that writes to the same metrics. */
function measured() {
  const metrics: Metrics = createMetrics(memory);
  const codec = createKmsCodec(
    {
      rules: new KeyRules({}, { encrypt: keys.payments }),
      emulatorHost: kms.emulator.address,
      format: undefined,
      compression: undefined,
      bindWorkflow: false,
    },
    { observer: metrics.codec.observer, waitMs: { other: 500 } },
  );
  metrics.codec.follow(codec, ['payments']);
  const app = appWith(kms, { codec, meter: metrics });
  onTestFinished(() => codec.close());
  const send = (path: string, namespace: string, body: string) =>
    post(app, path, body, { 'x-namespace': namespace });
  const samples = async (name: string): Promise<Record<string, string | number>[]> =>
    parse(await metrics.text())
      .filter((sample) => sample.name === name)
      .map(({ labels, value }) => ({ ...labels, value }));
  const counted = async (name: string) => (await samples(name)).filter(({ value }) => value !== 0);
  return { metrics, app, send, samples, counted };
}

const payloads = (count: number) =>
  bodyOf(
    Array.from({ length: count }, () => ({
      metadata: { encoding: text('json/plain') },
      data: text(`"${SECRET}"`),
    })),
  );

it('counts requests by route pattern and status, never by path', async () => {
  const { app, samples } = measured();
  await app.request(`/api/namespaces/payments/workflows/${SECRET}?runId=x`, { headers });
  await app.request(`/${SECRET}`, { headers });
  await app.request('/api/sign-in', { headers });
  await app.request('/api/namespaces', { method: 'PURGE', headers });
  const counts = await samples('codec_http_request_duration_seconds_count');
  expect(counts).toContainEqual({
    method: 'GET',
    route: '/api/namespaces/:namespace/workflows/:workflowId',
    status: '400',
    value: 1,
  });
  expect(counts).toContainEqual({ method: 'GET', route: '/api/sign-in', status: '200', value: 1 });
  expect(counts.find(({ method }) => method === 'other')).toMatchObject({ status: '404' });
});

it('counts denied requests in a separate counter, so that `increase()` includes their first burst', async () => {
  const { metrics, counted } = measured();
  for (const status of [200, 401, 401, 403, 404])
    metrics.request({ method: 'GET', route: '/api/namespaces', status, ms: 1 });
  expect(await counted('codec_requests_denied_total')).toEqual([
    { status: '401', value: 2 },
    { status: '403', value: 1 },
  ]);
});

it('counts payloads by format and reason code, Cloud KMS calls by result, and data-key rotations by reason', async () => {
  const { send, samples, counted } = measured();
  const encrypted = await (await send('/encode', 'payments', payloads(3))).text();
  await send('/decode', 'payments', encrypted);
  await send('/decode', 'orders', encrypted);
  expect(await counted('codec_payloads_encrypted_total')).toEqual([
    { namespace: 'payments', format: 'envelope-v2', value: 3 },
  ]);
  expect(await counted('codec_payloads_decrypted_total')).toEqual([
    { namespace: 'payments', format: 'envelope-v2', value: 3 },
  ]);
  expect(await counted('codec_payloads_refused_total')).toEqual([
    { namespace: 'other', code: 'namespace_mismatch', value: 1 },
  ]);
  expect(await samples('codec_kms_call_duration_seconds_count')).toEqual([
    expect.objectContaining({ operation: 'wrap', code: 'ok', value: 1 }),
  ]);
  expect(await counted('codec_data_key_rotations_total')).toEqual([
    { namespace: 'payments', reason: 'first', value: 1 },
  ]);
  const another = measured();
  kms.emulator.injectFault({ effect: { kind: 'error', status: 'PERMISSION_DENIED' } });
  await another.send('/decode', 'payments', encrypted);
  kms.emulator.clearFaults();
  expect(await another.samples('codec_kms_call_duration_seconds_count')).toEqual([
    { operation: 'unwrap', code: 'permission_denied', value: 1 },
  ]);
});

it('returns each counter of a configured namespace from the start, with the value 0', async () => {
  const { samples } = measured();
  expect(await samples('codec_payloads_encrypted_total')).toEqual([
    { namespace: 'payments', format: 'envelope-v2', value: 0 },
  ]);
  expect(await samples('codec_payloads_not_encrypted_total')).toEqual([{ namespace: 'payments', value: 0 }]);
  for (const name of ['codec_payloads_refused_total', 'codec_failures_replaced_total']) {
    const series = { namespace: 'payments', code: 'key_disabled', value: 0 };
    expect(await samples(name)).toContainEqual(series);
  }
  const started = { operation: 'unwrap', code: 'permission_denied', value: 0 };
  expect(await samples('codec_kms_calls_total')).toContainEqual(started);
  const store = { operation: 'load', code: 'unavailable', value: 0 };
  expect(await samples('codec_branch_key_store_failures_total')).toContainEqual(store);
  expect(await samples('codec_rate_limited_total')).toContainEqual({ limit: 'refused', value: 0 });
  expect(await samples('codec_requests_denied_total')).toEqual([
    { status: '401', value: 0 },
    { status: '403', value: 0 },
  ]);
});

it('counts failures of the branch-key store, and reports the store as failing until it works again', async () => {
  const { metrics, samples, counted } = measured();
  const { observer } = metrics.codec;
  const failure = { operation: 'load', code: 'unavailable', message: 'no answer' } as const;
  observer.branchKeyStoreFailed?.(failure);
  expect(await counted('codec_branch_key_store_failures_total')).toEqual([
    { operation: 'load', code: 'unavailable', value: 1 },
  ]);
  const failing = async () => (await samples('codec_branch_key_store_failing')).map(({ value }) => value);
  expect(await failing()).toEqual([1, 0, 0]);
  observer.branchKeyStoreRecovered?.({ operation: 'load' });
  expect(await failing()).toEqual([0, 0, 0]);
});

it('returns no metric that docs/metrics.md does not list', async () => {
  const { metrics, send } = measured();
  metrics.followAudit(() => ({ seq: 0 }));
  metrics.followKeyStates(new Map([[keys.payments, { reason: 'kms_unavailable' }]]));
  metrics.followScans(scanReports(undefined));
  await send('/encode', 'payments', payloads(1));
  const page = await readFile(join(import.meta.dirname, '../../../../docs/metrics.md'), 'utf8');
  const listed = new Set(
    [...page.matchAll(/^- (`codec_[^:(]*)/gm)].flatMap(([, names]) => names!.split(/[, `]+/).filter(Boolean)),
  );
  const names = [...(await metrics.text()).matchAll(/^# TYPE (codec_\S+)/gm)].map(([, name]) => name);
  expect(names.filter((name) => !listed.has(name!))).toEqual([]);
  expect(names).toContain('codec_http_request_duration_seconds');
});

it('adds no time series for a thousand namespaces that are not configured', async () => {
  const { send, samples } = measured();
  for (let n = 0; n < 1_000; n += 1) await send('/decode', `${SECRET}-${n}`, payloads(1));
  const all = await samples('codec_payloads_not_encrypted_total');
  expect(all).toEqual([
    { namespace: 'payments', value: 0 },
    { namespace: 'other', value: 1_000 },
  ]);
});

it('counts open streams, and audit lines that could not be written', async () => {
  const { metrics, samples } = measured();
  const ended = metrics.streamOpened();
  metrics.streamOpened();
  expect(await samples('codec_open_streams')).toEqual([{ value: 2 }]);
  ended();
  ended();
  expect(await samples('codec_open_streams')).toEqual([{ value: 1 }]);
  metrics.auditFailed();
  expect(await samples('codec_audit_write_failures_total')).toEqual([{ value: 1 }]);
});

describe('the metrics port application', () => {
  const probes = { kms: { last: () => ({ status: 'ok' as const }) }, emulator: true };

  it('serves only metrics and probes', async () => {
    const { metrics, send } = measured();
    await send('/encode', 'payments', payloads(1));
    const app = metricsApp(metrics, {
      ...probes,
      hosts: [HOST],
      log: keptLog().log,
      stopping: AbortSignal.abort(),
    });
    const response = await app.request('/metrics', { headers });
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const served = await response.text();
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_heap_used_bytes',
    ]) {
      expect(parse(served).find((sample) => sample.name === name)!.value).toBeGreaterThan(0);
    }
    expect(parse(served)).toContainEqual({ name: 'codec_server_build_info', labels: { version }, value: 1 });
    expect(served).not.toContain(SECRET);
    expect([(await app.request('/healthz')).status, (await app.request('/readyz')).status]).toEqual([
      200, 503,
    ]);
    expect((await app.request('/api/namespaces')).status).toBe(404);
  });

  it("counts V8's garbage collections by kind", async () => {
    const metrics = createMetrics();
    const runs = async (): Promise<number> =>
      parse(await metrics.text()).find(
        ({ name, labels }) => name === 'nodejs_gc_runs_total' && labels['kind'] === 'major',
      )!.value;
    const before = await runs();
    collectGarbage();
    await expect.poll(runs).toBeGreaterThan(before);
  });

  it('returns text that promtool accepts, if promtool is installed', async () => {
    const { metrics, send } = measured();
    await send('/encode', 'payments', payloads(1));
    const served = await metrics.text();
    const names = [...served.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(
      ([, name, type]) => [name!, type!] as const,
    );
    expect(new Set(names.map(([name]) => name)).size).toBe(names.length);
    for (const [name, type] of names) {
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(served).toMatch(new RegExp(`^# HELP ${name} (?!description missing)\\S`, 'm'));
    }
    const promtool = spawnSync('promtool', ['check', 'metrics'], { input: served, encoding: 'utf8' });
    if (promtool.error === undefined)
      expect([promtool.stdout, promtool.stderr, promtool.status]).toEqual(['', '', 0]);
  });
});
