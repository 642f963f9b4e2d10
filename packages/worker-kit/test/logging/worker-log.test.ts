import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { newCanary } from '@temporal-kms/testing/canaries';
import { startStack } from '@temporal-kms/testing/stack';
import { compileWorkflows } from '@temporal-kms/testing/workflow-code';
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KmsCodec, KmsCodecPlugin, loadKmsCodec } from '@temporal-kms/kms-codec';
import { endpointOf, failEverywhere, type LoggedWorker, startWorker } from './support/process.ts';
import * as workflows from './support/workflows.ts';

const canary = newCanary();
/** A canary with characters that are changed by escaping: quotation marks, line ends and a direction mark. */
const secret = `${canary}"\n\u202e ü`;

/**
 * The forms in which a log may contain the canary. Unlike the forms from `formsOf`, these forms also match a
 * truncated Buffer.
 */
const forms: Readonly<Record<string, RegExp>> = {
  plain: new RegExp(canary, 'i'),
  base64: new RegExp(
    // Inside other text, the base64 form begins at one of three offsets within a group, and its first and
    // last characters depend on the surrounding text.
    [0, 1, 2]
      .map((shift) =>
        Buffer.from('x'.repeat(shift) + canary)
          .toString('base64url')
          .slice(shift === 0 ? 0 : 4, -4),
      )
      .join('|'),
  ),
  // Allows the spaces of a printed Buffer, which shows only the first bytes.
  hex: new RegExp(
    [...Buffer.from(canary.slice(0, 12))].map((byte) => byte.toString(16)).join(String.raw`\s*`),
    'i',
  ),
  'decimal bytes': new RegExp([...Buffer.from(canary.slice(0, 12))].join(String.raw`,\s*`)),
};
const formsIn = (text: string): string[] =>
  Object.entries(forms)
    .filter(([, form]) => form.test(text))
    .map(([name]) => name);

const bundleWorkflows = () =>
  compileWorkflows(new URL('./support/workflows.ts', import.meta.url), {
    failureConverterPath: fileURLToPath(import.meta.resolve('@temporal-kms/kms-codec/failure-converter')),
  });

const key = 'projects/p/locations/global/keyRings/r/cryptoKeys/k';
const loggers = ['safe', 'default'] as const;

it.each([
  ['plain', JSON.stringify({ secret })],
  ['base64', Buffer.from(`1${secret}`).toString('base64')],
  ['hex', Buffer.from(secret).toString('hex')],
  ['hex', inspect({ data: Buffer.from(secret) })],
  ['decimal bytes', JSON.stringify({ data: Buffer.from(secret) })],
  ['decimal bytes', inspect(new Uint8Array(Buffer.from(secret)))],
])('the test detects the canary as %s', (form, text) => {
  expect(formsIn(text)).toEqual([form]);
});

describe('a worker with the plugin and a logger', () => {
  let stack: Awaited<ReturnType<typeof startStack>>;
  let codec: KmsCodec;
  const workers = new Map<(typeof loggers)[number], LoggedWorker>();
  const outputOf = (logger: (typeof loggers)[number]): string => workers.get(logger)?.output() ?? '';
  const entriesOf = (message: string): Record<string, unknown>[] =>
    outputOf('safe')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter((entry) => entry['message'] === message);

  beforeAll(async () => {
    const [services, { codePath }] = await Promise.all([
      startStack({ emulator: { keys: [key] } }),
      bundleWorkflows(),
    ]);
    stack = services;
    const { connection } = stack;
    const env = {
      GCP_PROJECT: 'p',
      GCP_KMS_KEY_RING: 'r',
      GCP_KMS_KEY: 'k',
      KMS_EMULATOR_HOST: stack.emulator.address,
      TEMPORAL_ADDRESS: stack.address,
      WORKFLOW_BUNDLE: codePath,
    };
    codec = loadKmsCodec({ env });
    const client = new Client({ connection, plugins: [new KmsCodecPlugin(codec)] });
    for (const logger of loggers) {
      const worker = startWorker(logger, env);
      workers.set(logger, worker);
      const { taskQueue } = worker;
      const target = { worker: { namespace: 'default', taskQueue } };
      await connection.operatorService.createNexusEndpoint({ spec: { name: endpointOf(taskQueue), target } });
    }
    await Promise.all([...workers.values()].map((worker) => failEverywhere(client, worker, secret)));
    for (const { taskQueue, ended } of workers.values()) {
      const options = { taskQueue, workflowId: `${taskQueue}-crash`, args: [secret] as [string] };
      const crashing = await client.workflow.start(workflows.crashing, options);
      expect(await ended).toBe(1);
      await crashing.terminate();
    }
  });
  afterAll(async () => {
    await Promise.all([...workers.values()].map((worker) => worker.kill()));
    await codec?.close();
    await stack?.close();
  });

  it("logs plaintext in many places with the SDK's default logger", () => {
    const lines = outputOf('default').split('\n');
    expect(lines.filter((line) => line.includes(canary)).length).toBeGreaterThan(30);
  });

  it('logs no plaintext in any form with the safe logger at its lowest level', () => {
    expect(outputOf('safe').length).toBeGreaterThan(50_000);
    expect(formsIn(outputOf('safe'))).toEqual([]);
  });

  it('logs the type of the failed activity, its workflow, and the error types', () => {
    expect(entriesOf('Activity failed')).toContainEqual(
      expect.objectContaining({
        severity: 'WARNING',
        sdkComponent: 'worker',
        namespace: 'default',
        taskQueue: 'logged-by-safe',
        workflowType: 'failingActivity',
        workflowId: 'logged-by-safe-activity',
        workflowRunId: expect.stringMatching(/^[\da-f-]{36}$/),
        activityType: 'charge',
        activityId: '1',
        attempt: 1,
        isLocal: false,
        error: 'ApplicationFailure',
        errorType: 'ChargeRefused',
        causes: ['Error', 'AggregateError', 'Error'],
      }),
    );
    expect(entriesOf('Activity failed')).toContainEqual(
      expect.objectContaining({
        workflowType: 'failingLocalActivity',
        isLocal: true,
        errorType: 'ChargeRefused',
      }),
    );
  });

  it.each([
    ['Workflow failed', { workflowType: 'failing', runId: expect.any(String), error: 'Error' }],
    ['Error while processing ActivityTask.start', { activityType: 'garble', error: 'ApplicationFailure' }],
    [
      'Failed to encode heartbeat details, cancelling Activity',
      { activityType: 'beat', error: 'ValueError' },
    ],
    ['External sink function threw an error', { ifaceName: 'ledger', fnName: 'note', error: 'Error' }],
    ['Nexus handler invocation failed', { service: 'vault', operation: 'open', error: 'OperationError' }],
    ['Failing workflow task', { sdkComponent: 'core', runId: expect.any(String), severity: 'WARNING' }],
    ['Uncaught error; the process ends', { error: 'Error' }],
  ])('logs "%s" with ids and types', (message, fields) => {
    expect(entriesOf(message)).toContainEqual(expect.objectContaining(fields));
  });

  it('withholds messages from workflow and activity code, but logs their origin', () => {
    const withheld = entriesOf('Message withheld: it may hold plaintext');
    expect(withheld).toContainEqual(
      expect.objectContaining({
        sdkComponent: 'activity',
        severity: 'WARNING',
        activityType: 'chat',
        error: 'Error',
      }),
    );
    expect(withheld).toContainEqual(
      expect.objectContaining({ sdkComponent: 'workflow', severity: 'ERROR', workflowType: 'talkative' }),
    );
  });

  it("warns at startup, but only about the SDK's default logger", () => {
    expect(outputOf('default')).toMatch(/\[TEMPORAL_KMS_UNSAFE_LOGGER\] SecurityWarning: .*createSafeLogger/);
    expect(outputOf('safe')).not.toContain('SecurityWarning');
  });
});

it('the safe logger truncates each SDK message before its interpolated part', () => {
  const folder = dirname(fileURLToPath(import.meta.resolve('@temporalio/worker')));
  const interpolated = globSync(join(folder, '**/*.js')).flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/logger\.(?:trace|debug|info|warn|error)\(`([^`]*)`/g)].map(
      ([, message = '']) => message,
    ),
  );
  expect(interpolated.length).toBeGreaterThan(5);
  const early = interpolated.filter((message) => message.split(/:\s/, 1)[0]?.includes('${'));
  // This message interpolates only a number, so it may be kept whole.
  expect(early).toEqual(['Workflow Worker Thread exited with code ${exitCode}']);
});
