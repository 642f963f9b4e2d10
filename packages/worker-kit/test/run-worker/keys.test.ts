import { setTimeout as sleep } from 'node:timers/promises';
import type { Emulator } from '@temporal-kms/kms-emulator';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';
import { startStack } from '@temporal-kms/testing/stack';
import type { WorkflowCode } from '@temporal-kms/testing/workflow-code';
import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CloudKms, KeyRules, KmsCodec, KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { KmsWorkerPlugin, type RunningWorker, runWorker } from '../../src/index.ts';
import { outageObserver, type SafeLogEntry } from '../../src/logging.ts';
import { cryptoKey } from '../support/codec.ts';
import { BreakableCodec, createActivities } from './support/activities.ts';
import { bundle, installRuntime, taskQueue } from './support/worker.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const key = cryptoKey('workflows');
const version = `${key}/cryptoKeyVersions/1`;
const rules = new KeyRules({}, { encrypt: key });
const namespace = 'default';

let stack: Awaited<ReturnType<typeof startStack>>;
let emulator: Emulator;
let workflowBundle: WorkflowCode;
let worker: RunningWorker;
let codec: KmsCodec;
let clientCodec: KmsCodec;
let log: SafeLogEntry[];
const clock = { ahead: 0 };
const now = () => Date.now() + clock.ahead;

beforeAll(async () => {
  installRuntime();
  [stack, workflowBundle] = await Promise.all([startStack({ emulator: { keys: [key] } }), bundle()]);
  emulator = stack.emulator;
});
afterEach(async () => {
  worker.stop();
  await worker.ended;
  await clientCodec.close();
});
afterAll(async () => {
  await emulator?.close();
  await stack?.close();
});

const newCodec = (entries: SafeLogEntry[] = []) => {
  const observer = outageObserver((entry) => void entries.push(entry));
  const keyService = new CloudKms({ emulatorHost: emulator.address, observer });
  return new KmsCodec({ rules, keyService, observer, now, namespace });
};

async function start() {
  const entries: SafeLogEntry[] = [];
  log = entries;
  clock.ahead = 0;
  clientCodec = newCodec();
  await clientCodec.warm(namespace).catch(() => undefined);
  codec = newCodec(entries);
  worker = runWorker({
    codec,
    namespace,
    connect: () => NativeConnection.connect({ address: stack.address }),
    createWorker: (connection) =>
      Worker.create({
        connection,
        namespace,
        taskQueue,
        workflowBundle,
        activities: createActivities(new BreakableCodec()),
        plugins: [new KmsWorkerPlugin(codec)],
      }),
    write: (entry) => void entries.push(entry),
    signals: [],
    exit: () => undefined,
  });
}

const echo = async (workflowId: string) => {
  const plugins = [new KmsCodecPlugin(clientCodec)];
  const client = new Client({ connection: stack.connection, namespace, plugins });
  return client.workflow.start('echo', { taskQueue, workflowId, args: [workflowId] });
};
/**
 * Starts a workflow. The client can start a workflow even during a Cloud KMS outage, because the client
 * already has a data key.
 */
const clientWithOwnKeys = echo;

/**
 * Records, for some time, when Cloud KMS is called. The times do not include stalls of this process, which runs both
 * the worker and the emulator.
 */
async function timesOfCalls(milliseconds: number): Promise<number[]> {
  const times: number[] = [];
  const timer = new WaitTimer();
  onTestFinished(() => timer.stop());
  let count = emulator.calls.count();
  while (timer.waitedMs < milliseconds) {
    if (emulator.calls.count() !== count) times.push(timer.waitedMs);
    count = emulator.calls.count();
    await sleep(50);
  }
  return times;
}

const untilReadiness = (expected: object, timeout = 60_000) =>
  expect.poll(() => worker.readiness(), { timeout }).toMatchObject(expected);
const messages = () => log.map(({ message }) => message);

/** Advances the codec's clock, and lets the codec do the work that is due. */
async function advance(milliseconds: number): Promise<void> {
  clock.ahead += milliseconds;
  codec.maintain();
  await Promise.resolve();
}

/** Advances the codec's clock until the keys last only for this time. */
const advanceUntilLeft = (milliseconds: number) =>
  advance(worker.readiness().autonomySeconds * 1_000 - milliseconds);

describe('a supervised worker', () => {
  it('stops polling when its key is disabled, before any task fails, and polls again once the key is enabled', async () => {
    await start();
    await untilReadiness({ status: 'ready', autonomySeconds: expect.toSatisfy((s: number) => s > 86_000) });
    expect(await (await echo('before')).result()).toBe('before');

    await emulator.setVersionState(version, 'DISABLED');
    await advance(4.5 * MINUTE);
    await untilReadiness({ status: 'not_ready', phase: 'waiting_for_kms', trouble: 'key_disabled' });
    expect(worker.readiness()).toMatchObject({ autonomySeconds: 0, kmsFailure: 'key_disabled' });
    const handle = await echo('meanwhile');

    await emulator.setVersionState(version, 'ENABLED');
    await advance(MINUTE);
    await untilReadiness({ status: 'ready', restarts: 0 });
    expect(await handle.result()).toBe('meanwhile');
    const { events } = await handle.fetchHistory();
    expect(events?.filter((event) => event.workflowTaskFailedEventAttributes)).toEqual([]);
    expect(messages()).toContain('Cloud KMS rejects the key in use; polling stops until it accepts a key');
    expect(messages()).toContain('Cloud KMS rejects the key in use; waiting for a key');
    // Further log lines, about calls that Cloud KMS accepts again, may follow.
    const waiting = messages().lastIndexOf('Cloud KMS rejects the key in use; waiting for a key');
    expect(messages().lastIndexOf('Keys ready; starting to poll')).toBeGreaterThan(waiting);
  });

  it('stops polling before its key expires if Cloud KMS wraps no new key, and polls again once Cloud KMS wraps a new key', async () => {
    await start();
    await untilReadiness({ status: 'ready' });
    expect(await (await echo('before-refusal')).result()).toBe('before-refusal');

    const status = 'PERMISSION_DENIED';
    emulator.injectFault({ method: 'Encrypt', effect: { kind: 'error', status } });
    await advance(0.76 * HOUR);
    await untilReadiness({ kmsFailure: 'permission_denied' });
    await advanceUntilLeft(30_000);
    await untilReadiness({ status: 'not_ready', phase: 'waiting_for_kms' });

    emulator.clearFaults();
    await advance(60_000);
    await untilReadiness({ status: 'ready', restarts: 0 });
    expect(await (await echo('after-refusal')).result()).toBe('after-refusal');
    expect(messages()).toEqual([
      'New key in use',
      'Cloud KMS rejects calls',
      'Key refresh failed; the current key stays in use',
      'Keys expire soon; polling stops until there are new keys',
      'The key expires soon; waiting for a new key',
      'Cloud KMS accepts calls again',
      'New key in use',
      'Keys ready; starting to poll',
    ]);
  });

  it('polls throughout an outage that ends before the hard limit, and logs one line at the start of the outage and one line at its end', async () => {
    await start();
    await untilReadiness({ status: 'ready' });
    // The worker unwraps the client's key before the outage, because it needs the key during the outage.
    expect(await (await echo('before-the-outage')).result()).toBe('before-the-outage');
    emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    await advance(20 * HOUR);
    await expect.poll(messages, { timeout: 60_000 }).toContain('Cloud KMS unavailable');
    const names = Array.from({ length: 20 }, (_, n) => `in-the-outage-${n}`);
    const handles = await Promise.all(names.map(echo));
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(names);
    expect(worker.readiness().status).not.toBe('not_ready');
    emulator.clearFaults();
    await advance(30_000);
    await expect.poll(messages, { timeout: 60_000 }).toContain('Cloud KMS available again');
    await untilReadiness({ status: 'ready', restarts: 0 });
    expect(messages().filter((message) => message !== 'New key in use')).toEqual([
      'Cloud KMS unavailable',
      'Cloud KMS available again',
    ]);
  });

  it('stops polling before its key reaches the hard limit in an outage, so that no task fails, and continues after the outage', async () => {
    await start();
    await untilReadiness({ status: 'ready' });
    emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    await advanceUntilLeft(40_000);
    await untilReadiness({ status: 'not_ready', phase: 'waiting_for_kms' });
    const handle = await clientWithOwnKeys('during-the-outage');
    await advance(HOUR);
    expect((await handle.describe()).status.name).toBe('RUNNING');
    emulator.clearFaults();
    await untilReadiness({ status: 'ready', restarts: 0 });
    expect(await handle.result()).toBe('during-the-outage');
  });

  it('starts while Cloud KMS is unavailable, retries at least every 5 s, and polls once Cloud KMS responds', async () => {
    emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    await start();
    await untilReadiness({ status: 'not_ready', phase: 'waiting_for_kms', trouble: 'kms_unavailable' });
    const times = await timesOfCalls(12_000);
    expect(times.length).toBeGreaterThan(2);
    expect(Math.max(...times.slice(1).map((at, index) => at - times[index]!))).toBeLessThan(5_000);
    emulator.clearFaults();
    await untilReadiness({ status: 'ready', restarts: 0 });
    expect(messages()).toEqual([
      'Cloud KMS unavailable',
      'Cloud KMS unavailable; waiting for a key',
      'Cloud KMS available again',
      'New key in use',
      'Keys ready; starting to poll',
    ]);
  });
});
