import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { activityInfo, heartbeat } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker, type WorkerPlugin } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import { KmsWorkerPlugin, runWorker } from '../../src/index.ts';
import { failureOf } from '@temporal-kms/testing/history';
import { activityIdentity, payments, type Stack, startStack } from './support/stack.ts';
import * as workflows from './support/workflows.ts';

const taskQueue = 'orders';
const OUTAGE_MS = 15_000;
/**
 * In some tests, Temporal's limits are this much later than those that the plugin sees. Otherwise, a stall of
 * the process between the end of a wait and the limit would fail the test.
 */
const SPARE_MS = 10_000;

let stack: Stack;
let starter: KmsCodec;

beforeAll(async () => {
  stack = await startStack();
  starter = stack.codec();
  await stack.work({ codec: starter, taskQueue, workflowBundle: stack.bundle });
  const role = 'roles/cloudkms.cryptoKeyEncrypterDecrypter';
  await stack.kms.setPolicy('projects/p', [{ role, members: [activityIdentity] }]);
});
afterAll(() => stack.close());

const client = () => stack.client(starter);

/** Creates the codec of another process. `loseKms` affects only this process. */
const otherCodec: Stack['codec'] = (options) =>
  stack.codec({ emulatorHost: stack.kms.identities[activityIdentity]!, ...options });

function loseKms(effect: Parameters<Stack['kms']['injectFault']>[0]['effect']): void {
  stack.kms.clearFaults();
  stack.kms.injectFault({ effect, identity: activityIdentity });
}

const start = async (queue: string, workflowId: string, limits: workflows.Limits) =>
  await client().workflow.start(workflows.limited, {
    taskQueue,
    workflowId,
    args: [queue, limits, workflowId],
  });

/** Returns the number of the activity's last attempt, once the activity has ended. */
async function lastAttempt(workflowId: string): Promise<number | null | undefined> {
  const { events } = await client().workflow.getHandle(workflowId).fetchHistory();
  const started = (events ?? []).map((event) => event.activityTaskStartedEventAttributes?.attempt);
  return started.findLast((attempt) => attempt !== undefined && attempt !== null);
}

const minute = 60_000;
const cases = {
  'only-attempt': { startToCloseTimeout: minute, maximumAttempts: 1 },
  // The worker sends a heartbeat every 4.7 s.
  'short-heartbeat-timeout': { startToCloseTimeout: minute, heartbeatTimeout: 14_000, maximumAttempts: 1 },
  'short-timeout': { startToCloseTimeout: 13_000 + SPARE_MS, maximumAttempts: 1 },
  'short-timeout-with-retries': { startToCloseTimeout: 14_000, maximumAttempts: 10 },
  terminated: { startToCloseTimeout: minute, heartbeatTimeout: 2_000, maximumAttempts: 1 },
  resumed: { startToCloseTimeout: 8_000, heartbeatTimeout: 2_000, maximumAttempts: 10, retryAfter: 3_000 },
} satisfies Record<string, workflows.Limits>;

describe('if Cloud KMS is unavailable for 15 s, an activity whose input’s key is not cached', () => {
  const ran: string[] = [];
  const resumedFrom: unknown[] = [];
  const handles = new Map<string, WorkflowHandle>();
  const handle = (name: keyof typeof cases) => handles.get(name)!;

  /** The last attempt of `resumed` that ran and failed. */
  let interrupted = 0;

  const interruptedNote = async (): Promise<string> => {
    interrupted = activityInfo().attempt;
    heartbeat('stop 7 of card 4111');
    throw new Error('continue from the last stop');
  };
  const note = async (name: string) => {
    ran.push(name);
    resumedFrom.push(activityInfo().heartbeatDetails);
    return `noted ${name}`;
  };

  beforeAll(async () => {
    const queue = randomUUID();
    const activities = { note: interruptedNote };
    const first = await stack.work({ codec: stack.codec(), taskQueue: queue, activities });
    const resumed = await start(queue, 'resumed', cases.resumed);
    handles.set('resumed', resumed);
    // The next attempt needs the data keys of its input and of its heartbeat details. Another process wrote
    // the input and the details.
    await vi.waitFor(async () => expect(await pendingAttempt(resumed)).toBeGreaterThan(1), 60_000);
    await first.stop();

    const codec = otherCodec();
    await codec.warm(payments);
    loseKms({ kind: 'hang' });
    await stack.work({
      codec,
      taskQueue: queue,
      activities: { note },
      // Otherwise, Core would delay heartbeats for so long that a stall of half a second would make an
      // attempt time out.
      maxHeartbeatThrottleInterval: '1 second',
      plugins: [new KmsWorkerPlugin(codec), withShorterLimit('short-timeout')],
    });
    for (const [name, limits] of Object.entries(cases)) {
      if (name !== 'resumed') handles.set(name, await start(queue, name, limits));
    }
    await vi.waitFor(() => expect(codec.callsWaiting).toBeGreaterThanOrEqual(5), 60_000);
    await sleep(OUTAGE_MS / 2);
    await handle('terminated').terminate();
    loseKms({ kind: 'error', status: 'UNAVAILABLE' });
    await sleep(OUTAGE_MS / 2);
    await expect(handle('short-timeout').result()).rejects.toThrow();
    expect(ran).toEqual([]);
    stack.kms.clearFaults();
    const all = [...handles.values()].map((one) => one.result().catch(() => undefined));
    await Promise.all(all);
    // An activity that must no longer run would have started by this time.
    await sleep(3_000);
  });
  afterAll(() => stack.kms.clearFaults());

  const runs = (name: string) => ran.filter((one) => one === name).length;

  it.each(['only-attempt', 'short-heartbeat-timeout'] as const)(
    'completes in its only attempt, and runs only once (%s)',
    async (name) => {
      expect(await handle(name).result()).toBe(`noted ${name}`);
      expect([runs(name), await lastAttempt(name)]).toEqual([1, 1]);
    },
  );

  it('fails with the cause before its time limit, and does not run afterwards', async () => {
    expect((await failureOf(handle('short-timeout').result())).cause?.cause).toMatchObject({
      type: 'KmsCodecError:kms_unavailable',
    });
    expect(runs('short-timeout')).toBe(0);
  });

  it('runs only once, in an attempt that still has half of its time, if Temporal retries the activity', async () => {
    expect(await handle('short-timeout-with-retries').result()).toBe('noted short-timeout-with-retries');
    expect(runs('short-timeout-with-retries')).toBe(1);
    expect(await lastAttempt('short-timeout-with-retries')).toBeGreaterThan(1);
  });

  it('does not run after its workflow has ended', () => {
    expect(runs('terminated')).toBe(0);
  });

  it('receives the heartbeat details of an earlier attempt, even if the attempts after it only waited', async () => {
    expect(await handle('resumed').result()).toBe('noted resumed');
    expect(resumedFrom).toContain('stop 7 of card 4111');
    expect(await lastAttempt('resumed')).toBeGreaterThan(interrupted + 1);
  });
});

/** Makes a worker see a start-to-close timeout for a workflow's activity that is `SPARE_MS` shorter than Temporal's. */
const withShorterLimit = (workflowId: string): WorkerPlugin => ({
  name: 'shorter-limit',
  runWorker: (worker, next) => {
    const pollLoop: unknown = Reflect.get(worker, 'pollLoop$');
    if (typeof pollLoop !== 'function') throw new Error('The worker has no pollLoop$');
    Reflect.set(worker, 'pollLoop$', (poll: () => Promise<Polled>) =>
      Reflect.apply(pollLoop, worker, [async () => shorten(await poll(), workflowId)]),
    );
    return next(worker);
  },
});

/** A 64-bit integer of the package `long`. */
interface Seconds {
  subtract(seconds: number): Seconds;
}

/** A task as the SDK's worker polls it. */
interface Polled {
  readonly task?: {
    readonly start?: {
      readonly workflowExecution?: { readonly workflowId?: string };
      readonly startToCloseTimeout?: { seconds: Seconds };
    };
  };
}

function shorten(polled: Polled, workflowId: string): Polled {
  const { workflowExecution, startToCloseTimeout } = polled.task?.start ?? {};
  if (workflowExecution?.workflowId === workflowId && startToCloseTimeout)
    startToCloseTimeout.seconds = startToCloseTimeout.seconds.subtract(SPARE_MS / 1_000);
  return polled;
}

/** Makes a worker abandon its activities later than its options state. Must follow `KmsWorkerPlugin`. */
const abandoningAfter = (milliseconds: number): WorkerPlugin => ({
  name: 'later-abandonment',
  runWorker: (worker, next) => {
    Reflect.set(worker.options, 'shutdownForceTimeMs', milliseconds);
    return next(worker);
  },
});

async function pendingAttempt(handle: WorkflowHandle): Promise<number> {
  const { raw } = await handle.describe();
  return raw.pendingActivities?.[0]?.attempt ?? 0;
}

describe("decoding an activity's result in a workflow task", () => {
  it('waits only as long as a workflow task may wait, and not as long as an activity may wait', async () => {
    const [workflowQueue, queue] = [randomUUID(), randomUUID()];
    const refused: number[] = [];
    const waitMs = { other: 1_000, activity: minute };
    const observer = { refused: () => void refused.push(performance.now()) };
    const codec = otherCodec({ waitMs, observer });
    await codec.warm(payments);
    await stack.work({ codec, taskQueue: workflowQueue, workflowBundle: stack.bundle });
    const name = 'result-under-another-key';
    const handle = await client().workflow.start(workflows.limited, {
      taskQueue: workflowQueue,
      workflowId: name,
      args: [queue, cases['only-attempt'], name],
    });
    await expect.poll(async () => await pendingAttempt(handle), { timeout: 60_000 }).toBe(1);
    loseKms({ kind: 'hang' });
    const completed: number[] = [];
    const note = async () => {
      completed.push(performance.now());
      return 'noted';
    };
    await stack.work({ codec: stack.codec(), taskQueue: queue, activities: { note } });
    await expect.poll(() => refused.length, { timeout: 90_000 }).toBeGreaterThan(0);
    expect(refused[0]! - completed[0]!).toBeLessThan(30_000);
    stack.kms.clearFaults();
    expect(await handle.result()).toBe('noted');
    expect(completed).toHaveLength(1);
  });
});

describe('a final attempt that is waiting for Cloud KMS', () => {
  it('fails with the cause before a worker that shuts down abandons the attempt', async () => {
    const queue = randomUUID();
    const codec = otherCodec();
    await codec.warm(payments);
    loseKms({ kind: 'hang' });
    const ran: string[] = [];
    const note = async () => void ran.push('ran');
    const shutdownForceTime = 4_000;
    const plugins = [new KmsWorkerPlugin(codec), abandoningAfter(shutdownForceTime + SPARE_MS)];
    const worker = await stack.work({
      codec,
      taskQueue: queue,
      activities: { note },
      shutdownForceTime,
      plugins,
    });
    const handle = await start(queue, 'abandoned', cases['only-attempt']);
    await expect.poll(async () => await pendingAttempt(handle), { timeout: 60_000 }).toBe(1);
    // Waits until the worker has received the task, and not only until Temporal has sent it.
    await expect.poll(() => codec.callsWaiting, { timeout: 60_000 }).toBe(1);
    await worker.stop();
    stack.kms.clearFaults();
    expect((await failureOf(handle.result())).cause?.cause).toMatchObject({
      type: 'KmsCodecError:kms_unavailable',
    });
    expect(ran).toEqual([]);
  });

  it('fails with the cause before runWorker ends the process, even if the worker has no shutdownForceTime', async () => {
    const queue = randomUUID();
    const codec = otherCodec();
    await codec.warm(payments);
    loseKms({ kind: 'hang' });
    const running = runWorker({
      codec,
      namespace: payments,
      connect: () => NativeConnection.connect({ address: stack.address }),
      createWorker: (connection) =>
        Worker.create({
          connection,
          namespace: payments,
          taskQueue: queue,
          plugins: [new KmsWorkerPlugin(codec)],
          activities: { note: () => Promise.resolve('ran') },
        }),
      write: () => undefined,
      signals: [],
      exit: () => undefined,
      stopMs: 6_000,
    });
    const handle = await start(queue, 'process-ended', cases['only-attempt']);
    await expect.poll(() => codec.callsWaiting, { timeout: 60_000 }).toBe(1);
    running.stop();
    await running.ended;
    expect(codec.callsWaiting).toBe(0);
    stack.kms.clearFaults();
    expect((await failureOf(handle.result())).cause?.cause).toMatchObject({
      type: 'KmsCodecError:kms_unavailable',
    });
  });
});
