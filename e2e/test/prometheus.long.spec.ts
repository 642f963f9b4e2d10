import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { devEnvironment, devPorts } from '@temporal-kms/scripts/dev';
import { answers } from '@temporal-kms/scripts/child';
import { freePorts } from '@temporal-kms/scripts/ports';
import { type Alertmanager, startAlertmanager } from '@temporal-kms/scripts/alertmanager';
import { startPrometheus, type Prometheus } from '@temporal-kms/scripts/prometheus';
import { type NodeProcess, startNode } from '@temporal-kms/testing/process';
import { interruptKms, local, startSample } from './stack.ts';

/*
 * Starts an additional worker and an additional codec server, whose metrics a Prometheus server scrapes.
 * `pnpm bench alerts` causes the faults for the alerts that this file does not test.
 */

const BUILD_MS = 900_000;
const OUTAGE_SECONDS = 15;
const queue = { TEMPORAL_TASK_QUEUE: 'observed' };
const processes: NodeProcess[] = [];
let alertmanager: Alertmanager | undefined;
let prometheus: Prometheus | undefined;
let codecServer: string;
let worker: string;

const start = (app: string, env: Record<string, string | undefined>): void => {
  const cwd = join(import.meta.dirname, '..', '..', 'apps', app);
  const dev = devEnvironment(process.env, devPorts(process.env));
  processes.push(startNode('src/main.ts', { cwd, env: { ...dev, LOG_LEVEL: 'info', ...env } }));
};

test.beforeAll(async () => {
  test.setTimeout(BUILD_MS);
  const [codecPort, codecMetrics, health, workerMetrics] = (await freePorts(4)).map(String);
  codecServer = `http://127.0.0.1:${codecPort}`;
  worker = `http://127.0.0.1:${health}`;
  alertmanager = await startAlertmanager();
  prometheus = await startPrometheus(
    { 'codec-server': `127.0.0.1:${codecMetrics}`, worker: `127.0.0.1:${workerMetrics}` },
    { alertmanager: alertmanager?.address },
  );
  start('codec-server', {
    CODEC_PORT: codecPort,
    CODEC_METRICS_PORT: codecMetrics,
    CODEC_ALLOWED_HOSTS: undefined,
    // Unset the audit file, because only one process may write to it, and the stack's codec server already does.
    AUDIT_FILE: undefined,
  });
  start('worker', { ...queue, WORKER_HEALTH_PORT: health, WORKER_METRICS_PORT: workerMetrics });
});
test.afterAll(async () => {
  await Promise.all([prometheus?.close(), alertmanager?.close(), ...processes.map((one) => one.kill())]);
});

/** Returns the value of the only series that a query finds, or undefined if it finds no series. */
async function valueOf(promql: string): Promise<number | undefined> {
  const found = (await prometheus?.query(promql)) ?? [];
  expect(found.length, promql).toBeLessThan(2);
  return found[0]?.value;
}

const eventually = (promql: string) => expect.poll(() => valueOf(promql), { message: promql });

interface Payload {
  metadata: Record<string, string>;
  data: string;
}

async function post(
  path: string,
  payloads: readonly Payload[],
  server = codecServer,
): Promise<{ status: number; payloads: Payload[] }> {
  const response = await fetch(`${server}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-namespace': 'default' },
    body: JSON.stringify({ payloads }),
  });
  const text = await response.text();
  const body: { payloads: Payload[] } = response.ok ? JSON.parse(text) : { payloads: [] };
  return { status: response.status, payloads: body.payloads };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const plain = (text: string): Payload => ({
  metadata: { encoding: base64('json/plain') },
  data: base64(JSON.stringify(text)),
});

test('a Prometheus server scrapes the worker and the codec server under load, and records the first event of each counter', async () => {
  test.setTimeout(240_000);
  test.skip(prometheus === undefined || alertmanager === undefined, 'neither Prometheus nor Go is available');
  for (const url of [codecServer, worker])
    await expect.poll(() => answers(`${url}/readyz`), { timeout: 60_000 }).toBe(true);
  const up = { 'codec-server': 'up', worker: 'up' };
  await expect.poll(() => prometheus?.targets()).toEqual(up);
  // Every counter exists before its first event.
  const refused =
    'codec_payloads_refused_total{job="codec-server",namespace="default",code="integrity_failed"}';
  await eventually(refused).toBe(0);
  await eventually('codec_worker_restarts_total{job="worker"}').toBe(0);
  await eventually('codec_worker_ready').toBe(1);
  await eventually('codec_autonomy_seconds{job="worker",namespace="default"}').toBeGreaterThan(3_600);
  await eventually('codec_kms_calls_total{job="worker",operation="wrap",code="ok"}').toBe(1);
  await eventually('sum(temporal_num_pollers{poller_type="workflow_task"})').toBeGreaterThan(0);
  await eventually('count(codec_key_version_state{state="ENABLED"} == 1)').toBeGreaterThan(0);

  // The load consists of payloads for the codec server, and workflows for the worker.
  const workflows = ['a', 'b', 'c'].map((name) => startSample('order', `e2e-observed-${name}`, {}, queue));
  let encoded: Payload[] = [];
  for (let n = 0; n < 50; n += 1) {
    encoded = (
      await post(
        '/encode',
        Array.from({ length: 20 }, (_, m) => plain(`${n} ${m}`)),
      )
    ).payloads;
    expect((await post('/decode', encoded)).payloads).toHaveLength(20);
  }
  await Promise.all(workflows);
  await eventually('codec_payloads_encrypted_total{job="codec-server",namespace="default"}').toBe(1_000);
  await eventually('codec_payloads_decrypted_total{job="codec-server",namespace="default"}').toBe(1_000);
  await eventually('sum(codec_http_request_duration_seconds_count{route="/decode",status="200"})').toBe(50);
  await eventually('sum(codec_payloads_encrypted_total{job="worker"})').toBeGreaterThan(10);
  await eventually('sum(codec_data_key_lookups_total{job="worker",outcome="hit"})').toBeGreaterThan(10);
  await eventually('sum(temporal_workflow_task_execution_latency_seconds_count)').toBeGreaterThan(3);

  const [payload] = encoded;
  const bytes = Buffer.from(payload?.data ?? '', 'base64');
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  const modified = { metadata: payload?.metadata ?? {}, data: bytes.toString('base64') };
  expect((await post('/decode', [modified])).status).toBeGreaterThanOrEqual(400);
  // The first byte is the format's version, and no reader knows version 99.
  bytes[0] = 99;
  const later = { metadata: payload?.metadata ?? {}, data: bytes.toString('base64') };
  expect((await post('/decode', [later])).status).toBeGreaterThanOrEqual(400);
  expect((await post('/decode', [plain('without the codec')])).status).toBe(200);
  // A counter that did not exist before this event would show no increase.
  await eventually(`increase(${refused}[2m])`).toBeGreaterThan(0.5);
  await expect
    .poll(() => prometheus?.alerts())
    .toMatchObject({
      PayloadsModified: ['codec-server refused payloads in default with integrity_failed'],
      PayloadsRefused: ['codec-server refused payloads in default with unsupported_version'],
      PlaintextFound: ['codec-server found a plaintext payload in default where ciphertext is expected'],
    });
  const received = () =>
    Object.fromEntries(
      (alertmanager?.received() ?? []).map(({ labels, annotations }) => [
        labels['alertname'],
        annotations.runbook,
      ]),
    );
  await expect
    .poll(received)
    .toMatchObject({
      PayloadsModified: 'docs/runbook.md#payloadsmodified',
      PayloadsRefused: 'docs/runbook.md#payloadsrefused',
      PlaintextFound: 'docs/runbook.md#plaintextfound',
    });

  // The codec server has not unwrapped this message's branch key yet, so decoding waits for Cloud KMS.
  const foreign = await post('/encode', [plain('from another process')], `http://${local('CODEC')}`);
  await interruptKms(OUTAGE_SECONDS);
  const waiting = post('/decode', foreign.payloads);
  await eventually('max_over_time(codec_calls_waiting{job="codec-server"}[1m])').toBe(1);
  await waiting;
  // No key in memory is due for replacement, so only the call for the new branch key fails.
  const failing = 'codec_kms_failing{job="codec-server",namespace="default"}';
  await eventually(`max_over_time(${failing}[1m])`).toBe(1);
  await eventually('codec_calls_waiting{job="codec-server"}').toBe(0);
  const failed = 'codec_kms_calls_total{job="codec-server",operation="unwrap",code="kms_unavailable"}';
  await eventually(failed).toBeGreaterThan(0);
  expect(await prometheus?.targets()).toEqual(up);
});
