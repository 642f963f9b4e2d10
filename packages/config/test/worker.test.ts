import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseConfig, workerEnvironment } from '../src/index.ts';
import { kms, mistakesOf } from './environments.ts';

const parse = (values: Record<string, string>) => parseConfig(workerEnvironment, { ...kms, ...values });

test('requires only the variables that name the key', () => {
  expect(parse({})).toMatchObject({
    taskQueue: 'kms-sample',
    health: { host: '127.0.0.1', port: 8089 },
    shutdownGraceSeconds: 10,
    logLevel: 'info',
  });
});

test('reads the variables that are set', () => {
  const values = {
    TEMPORAL_TASK_QUEUE: 'payments',
    WORKER_HEALTH_HOST: '0.0.0.0',
    WORKER_HEALTH_PORT: '9000',
  };
  expect(parse(values)).toMatchObject({ taskQueue: 'payments', health: { host: '0.0.0.0', port: 9000 } });
});

test('configures metrics for Prometheus or for a collector, and rejects both together', () => {
  expect(parse({})).not.toHaveProperty('metrics');
  const prometheus = { WORKER_METRICS_PORT: '9465' };
  expect(parse(prometheus)).toMatchObject({ metrics: { host: '127.0.0.1', port: 9465 } });
  const collector = { WORKER_OTLP_ENDPOINT: 'http://collector:4317' };
  expect(parse(collector)).toMatchObject({ metrics: { otlp: 'http://collector:4317' } });
  expect(mistakesOf(() => parse({ ...prometheus, ...collector }))).toEqual([
    ['WORKER_OTLP_ENDPOINT', expect.stringContaining('both set')],
  ]);
  expect(mistakesOf(() => parse({ WORKER_OTLP_ENDPOINT: 'collector:4317' }))).toEqual([
    ['WORKER_OTLP_ENDPOINT', expect.stringContaining('http')],
  ]);
});

test('treats an empty value as unset, because compose files pass unset variables as empty values', () => {
  expect(parse({ TEMPORAL_TASK_QUEUE: '', LOG_LEVEL: '' })).toMatchObject({
    taskQueue: 'kms-sample',
    logLevel: 'info',
  });
});

test('rejects a KMS emulator on another machine', () => {
  const problems = mistakesOf(() => parse({ KMS_EMULATOR_HOST: 'kms.example.com:9061' }));
  expect(problems).toEqual([['KMS_EMULATOR_HOST', expect.stringContaining('loopback')]]);
  expect(parse({ KMS_EMULATOR_HOST: '127.0.0.1:9061' })).toHaveProperty('kms');
});

test("rejects the variable that makes Google's client print plaintext data keys", () => {
  const problems = mistakesOf(() => parse({ GOOGLE_SDK_NODE_LOGGING: 'all' }));
  expect(problems).toEqual([['GOOGLE_SDK_NODE_LOGGING', expect.any(String)]]);
});

test.each([
  ['NODE_DEBUG', 'stream'],
  ['NODE_OPTIONS', '--max-old-space-size=96 --inspect=0'],
])('rejects %s=%s, with which Node exposes data keys', (variable, value) => {
  const problems = mistakesOf(() => parse({ [variable]: value }));
  expect(problems).toEqual([[variable, expect.stringMatching(/must not (be set|have)/)]]);
});

test('reports where in the keys file a mistake is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'config-test-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'keys.yaml');
  await writeFile(file, 'namespaces:\n  payments:\n    encrypt: payments-key\n    decrypts: []\n...\n');
  const problems = mistakesOf(() => parseConfig(workerEnvironment, { KMS_KEYS_FILE: file }));
  expect(problems).toHaveLength(2);
  expect(problems).toContainEqual([
    'KMS_KEYS_FILE',
    expect.stringMatching(/keys\.yaml": at namespaces\.payments\.encrypt: must be projects\//),
  ]);
});

test.each(['3601', '-1', '1.5', '10s'])('rejects a shutdown grace period of %s', (value) => {
  const problems = mistakesOf(() => parse({ WORKER_SHUTDOWN_GRACE_SECONDS: value }));
  expect(problems).toEqual([['WORKER_SHUTDOWN_GRACE_SECONDS', expect.stringContaining('0 to 3600')]]);
});
