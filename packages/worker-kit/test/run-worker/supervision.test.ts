import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TemporalStack, startTemporalStack } from '@temporal-kms/testing/stack';
import type { WorkflowCode } from '@temporal-kms/testing/workflow-code';
import { Client } from '@temporalio/client';
import { NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ReasonCode } from '@temporal-kms/kms-codec';
import { type RunningWorker, workerExitCodes } from '../../src/index.ts';
import { superviseProcess, supervisorTimes } from '../../src/run-worker/supervise-process.ts';
import type { SafeLogEntry } from '../../src/logging.ts';
import { BreakableCodec } from './support/activities.ts';
import { bundle, createWorker, installRuntime, noKeys } from './support/worker.ts';

let stack: TemporalStack;
let client: Client;
let workflowBundle: WorkflowCode;
let codec: BreakableCodec;
let log: SafeLogEntry[];
let worker: RunningWorker | undefined;
/** Each worker has a separate task queue, because an abandoned worker in this process may still poll. */
let taskQueue = 'queue-0';
let queues = 0;
let exits: number[];
let autonomySeconds: number;
let failure: ReasonCode | undefined;

beforeAll(async () => {
  installRuntime();
  [stack, workflowBundle] = await Promise.all([startTemporalStack(), bundle()]);
  client = new Client({ connection: stack.connection });
});
afterAll(() => stack?.close());
afterEach(async () => {
  worker?.stop();
  await worker?.ended;
  worker = undefined;
});

interface StartOptions {
  readonly times?: Partial<typeof times>;
  readonly stopMs?: number;
  /**
   * If false, the SDK's `finalizeShutdown` never returns, as if there were an outstanding task but no
   * outstanding poll.
   */
  readonly isFinalizable?: boolean;
  readonly worker?: Partial<WorkerOptions>;
}

const times = { ...supervisorTimes, settleMs: 20_000, firstDelayMs: 100 };

function start(options: StartOptions = {}) {
  codec = new BreakableCodec();
  const entriesOfThis: SafeLogEntry[] = [];
  log = entriesOfThis;
  exits = [];
  queues += 1;
  taskQueue = `queue-${queues}`;
  autonomySeconds = 3_600;
  failure = undefined;
  worker = superviseProcess(
    {
      codec: { ...noKeys, keyState: () => ({ autonomySeconds, failure }) },
      namespace: 'default',
      connect: () => NativeConnection.connect({ address: stack.address }),
      createWorker: async (connection) => {
        codec.isBroken = false;
        const created = await createWorker(connection, codec, {
          workflowBundle,
          taskQueue,
          ...options.worker,
        });
        if (options.isFinalizable === false) {
          const native: object = Reflect.get(created, 'nativeWorker');
          Reflect.set(native, 'finalizeShutdown', () => new Promise(() => undefined));
        }
        return created;
      },
      write: (entry) => void entriesOfThis.push(entry),
      signals: [],
      exit: (code) => void exits.push(code),
      ...(options.stopMs !== undefined && { stopMs: options.stopMs }),
    },
    { ...times, ...options.times },
  );
  return worker;
}

const untilReady = (running: RunningWorker) =>
  expect.poll(() => running.readiness(), { timeout: 60_000 }).toMatchObject({ status: 'ready' });
const run = (workflowType: string, workflowId: string, args: string[] = []) =>
  client.workflow.start(workflowType, { taskQueue, workflowId, args });
/** Starts a workflow whose activity never ends, and waits until that activity is running. */
async function startSticking(workflowId: string) {
  const handle = await run('wait', workflowId);
  const pending = async () => (await handle.describe()).raw.pendingActivities?.[0]?.lastStartedTime;
  await expect.poll(pending, { timeout: 60_000 }).toBeTruthy();
  return handle;
}
/**
 * Counts Node `Worker` threads. Core's threads are not counted, because they remain after a worker has
 * failed.
 */
const threadsOfProcess = () =>
  readdirSync('/proc/self/task').filter((thread) => nameOfThread(thread) === 'WorkerThread').length;
/** Returns the name of a thread of this process, or undefined if the thread has ended. */
function nameOfThread(thread: string): string | undefined {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
const entries = (message: string) => log.filter((entry) => entry.message === message);

describe('a worker that fails', () => {
  it('ends with an error that hides the cause if runWorker is not used', async () => {
    codec = new BreakableCodec();
    const connection = await NativeConnection.connect({ address: stack.address });
    const alone = await createWorker(connection, codec, { workflowBundle, taskQueue: 'alone' });
    await client.workflow.start('kill', { taskQueue: 'alone', workflowId: 'alone' });
    await expect(alone.run()).rejects.toMatchObject({ name: 'IllegalStateError' });
    await connection.close();
  });

  it('is replaced, and the log contains the cause of the failure', async () => {
    const running = start();
    await untilReady(running);
    await run('kill', 'replaced');
    await expect.poll(() => running.readiness().restarts, { timeout: 60_000 }).toBe(1);
    expect(entries('The worker failed')).toEqual([
      { level: 'ERROR', message: 'The worker failed', fields: { error: 'TypeError' } },
    ]);
    await untilReady(running);
    expect(await (await run('echo', 'after', ['a'])).result()).toBe('a');
    expect(exits).toEqual([]);
  });

  it('leaves no threads of workflow code behind', async () => {
    const running = start();
    await untilReady(running);
    const die = async (death: number) => {
      await run('kill', `threads-${death}`);
      await expect.poll(() => running.readiness().restarts, { timeout: 60_000 }).toBe(death);
      await untilReady(running);
    };
    await die(1);
    const threads = threadsOfProcess();
    expect(threads).toBeGreaterThan(0);
    for (let death = 2; death <= 4; death++) await die(death);
    await expect.poll(threadsOfProcess, { timeout: 60_000 }).toBe(threads);
  });

  it('causes the process to end with 70 if the SDK never finalizes the worker', async () => {
    const running = start({ times: { settleMs: 500 }, isFinalizable: false });
    await untilReady(running);
    await run('kill', 'not-finalized');
    await expect.poll(() => running.readiness(), { timeout: 60_000 }).toMatchObject({ status: 'not_ready' });
    expect(await running.ended).toBe(workerExitCodes.notSettled);
    expect(log.map(({ message, fields }) => [message, fields])).toEqual([
      ['The worker failed and cannot be released; the process ends', { error: 'TypeError' }],
      ['Worker stopped', { exitCode: 70 }],
    ]);
  });
});

describe('stop', () => {
  it('ends the process in time even if an activity ignores its cancellation', async () => {
    const running = start({ stopMs: 1_000, worker: { shutdownForceTime: '1 second' } });
    await untilReady(running);
    const handle = await startSticking('sticks-while-stopping');
    const stopped = performance.now();
    running.stop();
    expect(running.readiness()).toMatchObject({ status: 'not_ready', phase: 'stopping' });
    expect(await running.ended).toBe(workerExitCodes.abandoned);
    expect(performance.now() - stopped).toBeLessThan(1_000 + 1_000 + 20_000);
    expect(exits).toEqual([1]);
    await handle.terminate();
  });

  it('loses no task that Temporal has just dispatched to the worker', async () => {
    const loop = { worker: { taskQueue: 'busy' } };
    const bursts: Promise<number>[] = [];
    for (let round = 1; round <= 3; round++) {
      const running = start(loop);
      await untilReady(running);
      for (const part of ['a', 'b', 'c']) {
        const started = { taskQueue: 'busy', workflowId: `busy-${round}-${part}`, args: [20] };
        bursts.push(client.workflow.execute('burst', started));
      }
      await sleep(700);
      running.stop();
      expect(await running.ended).toBe(workerExitCodes.stopped);
    }
    await untilReady(start(loop));
    expect(await Promise.all(bursts)).toEqual(bursts.map(() => 0));
  });
});

describe('a supervised worker', () => {
  it('stops polling when its keys expire soon, and polls again once it has new keys', async () => {
    const running = start();
    await untilReady(running);
    autonomySeconds = 59;
    await expect
      .poll(() => running.readiness(), { timeout: 60_000 })
      .toMatchObject({ status: 'not_ready', phase: 'waiting_for_kms', trouble: 'data_key_exhausted' });
    const handle = await run('echo', 'waits-for-keys', ['b']);
    await expect(Promise.race([handle.result(), sleep(2_500, 'still waiting')])).resolves.toBe(
      'still waiting',
    );
    autonomySeconds = 3_600;
    expect(await handle.result()).toBe('b');
    await untilReady(running);
    expect(running.readiness()).toMatchObject({ restarts: 0 });
  });

  it('reports the degraded status while Cloud KMS does not respond but its keys last long enough', async () => {
    const running = start();
    await untilReady(running);
    failure = 'kms_unavailable';
    expect(running.readiness()).toMatchObject({ status: 'degraded', kmsFailure: 'kms_unavailable' });
    failure = undefined;
    expect(running.readiness()).toMatchObject({ status: 'ready' });
  });
});

describe('readiness', () => {
  it('reports that Temporal does not respond, and later that it responds again', async () => {
    const running = start();
    await untilReady(running);
    process.kill(stack.server.pid, 'SIGSTOP');
    try {
      await expect
        .poll(() => running.readiness(), { timeout: 60_000 })
        .toMatchObject({ status: 'not_ready', phase: 'polling', temporalReachable: false });
    } finally {
      process.kill(stack.server.pid, 'SIGCONT');
    }
    await untilReady(running);
    expect(running.readiness()).toMatchObject({ restarts: 0, polling: true });
    expect(entries('Temporal unavailable')).toHaveLength(1);
    expect(entries('Temporal available again')).toHaveLength(1);
  });
});
