import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { devEnvironment, devPorts } from '@temporal-kms/scripts/dev';
import { type Collector, type Passed, startCollector } from '@temporal-kms/scripts/otel-collector';
import { answers } from '@temporal-kms/scripts/child';
import { freePorts } from '@temporal-kms/scripts/ports';
import { type NodeProcess, startNode } from '@temporal-kms/testing/process';
import { startSample } from './stack.ts';

/* Starts more workers and a codec server, which send metrics and traces to an OpenTelemetry Collector. */

const BUILD_MS = 900_000;
const SECRET = 'Canary-7f31c0 Lindqvist';
const processes: NodeProcess[] = [];
let collector: Collector | undefined;
let codecServer: string;

const start = (app: string, env: Record<string, string | undefined>): NodeProcess => {
  const cwd = join(import.meta.dirname, '..', '..', 'apps', app);
  const dev = devEnvironment(process.env, devPorts(process.env));
  const nodeOptions = ['--disable-sigusr1'];
  const started = startNode('src/main.ts', { cwd, nodeOptions, env: { ...dev, ...env } });
  processes.push(started);
  return started;
};

test.beforeAll(async () => {
  test.setTimeout(BUILD_MS);
  collector = await startCollector();
});
test.afterAll(async () => {
  await Promise.all([collector?.close(), ...processes.map((one) => one.kill())]);
});

const passed = (signal: Passed['signal']): string =>
  (collector?.passed() ?? [])
    .filter((one) => one.signal === signal)
    .map(({ json }) => json)
    .join('\n');

/** Returns the names of the spans that have arrived. */
const spans = (): string[] =>
  [...passed('traces').matchAll(/"name":"([^"]+)"/g)].map(([, name = '']) => name);

async function post(path: string, body: string): Promise<string> {
  const headers = { 'content-type': 'application/json', 'x-namespace': 'default' };
  return await (await fetch(codecServer + path, { method: 'POST', headers, body })).text();
}

async function untilReady(url: string): Promise<void> {
  await expect.poll(() => answers(`${url}/readyz`), { timeout: 60_000 }).toBe(true);
}

/** The forms in which a request could contain a payload's text. */
const forms = [SECRET, Buffer.from(JSON.stringify(SECRET)).toString('base64').slice(0, 24)];

test('an OpenTelemetry Collector receives workers’ metrics and a codec server’s traces, without plaintext', async () => {
  test.setTimeout(240_000);
  test.skip(collector === undefined, 'Go is not available');
  const [codecPort, grpcHealth, httpHealth] = (await freePorts(3)).map(String);
  codecServer = `http://127.0.0.1:${codecPort}`;
  const server = start('codec-server', {
    CODEC_PORT: codecPort,
    CODEC_ALLOWED_HOSTS: undefined,
    // Unset the audit file, because only one process may write to it, and the stack's codec server already does.
    AUDIT_FILE: undefined,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector?.http,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=e2e',
  });
  const endpoints = {
    grpc: [grpcHealth, collector?.grpc],
    http: [httpHealth, `${collector?.http}/v1/metrics`],
  };
  for (const [name, [health, endpoint]] of Object.entries(endpoints)) {
    start('worker', {
      TEMPORAL_TASK_QUEUE: `collected-${name}`,
      WORKER_HEALTH_PORT: health,
      WORKER_OTLP_ENDPOINT: endpoint,
    });
    await untilReady(`http://127.0.0.1:${health}`);
    const queue = { TEMPORAL_TASK_QUEUE: `collected-${name}` };
    await startSample('order', `e2e-collected-${name}`, { customer: SECRET }, queue);
  }
  await untilReady(codecServer);

  const data = Buffer.from(JSON.stringify(SECRET)).toString('base64');
  const plain = { metadata: { encoding: Buffer.from('json/plain').toString('base64') }, data };
  const encoded = await post('/encode', JSON.stringify({ payloads: [plain] }));
  expect(JSON.parse(await post('/decode', encoded))).toMatchObject({ payloads: [{ data }] });
  await post('/decode', `{"payloads": "${SECRET}"}`);

  // Both workers report the payloads that they encrypted, in series that differ only in the task queue.
  for (const metric of ['codec_payloads_encrypted', 'codec_kms_failing', 'codec_worker_ready'])
    await expect.poll(() => passed('metrics'), { message: metric }).toContain(`"name":"${metric}"`);
  for (const name of Object.keys(endpoints))
    await expect.poll(() => passed('metrics'), { message: name }).toContain(`"collected-${name}"`);
  expect(passed('metrics')).toContain('"name":"codec_worker_build_info"');

  server.child.kill('SIGTERM');
  expect(await server.ended).toBe(0);
  await expect
    .poll(spans)
    .toEqual(expect.arrayContaining(['POST /encode', 'encode', 'POST /decode', 'decode']));
  expect(spans()).toContain('Cloud KMS wrap');
  expect(passed('traces')).toContain('"temporal-kms-codec-server"');
  expect(passed('traces')).toContain('"deployment.environment.name"');
  for (const signal of ['traces', 'metrics', 'logs'] as const)
    for (const form of forms) expect(passed(signal), signal).not.toContain(form);
});
