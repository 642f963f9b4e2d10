import { setTimeout as sleep } from 'node:timers/promises';
import { type NodeProcess, startNode } from '@temporal-kms/testing/process';
import { type TemporalStack, startTemporalStack } from '@temporal-kms/testing/stack';
import { Client } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { bundle, taskQueue } from './support/worker.ts';

/** Number of times that the worker fails. DEATHS=200 makes a longer run. */
const deaths = Number(process.env['DEATHS'] ?? (process.env['SLOW'] ? 12 : 6));
/**
 * Time limit for a ready worker to complete a workflow. It is long enough for a task that Temporal first
 * dispatches to the failed worker, where the task times out.
 */
const WORKS_MS = 60_000;
/** Time within which the process must be ready again or have ended after a worker's failure. */
const DECIDES_MS = 60_000;

let stack: TemporalStack;
let client: Client;
let codePath: string;
const processes: WorkerProcess[] = [];

beforeAll(async () => {
  [stack, { codePath }] = await Promise.all([startTemporalStack(), bundle()]);
  client = new Client({ connection: stack.connection });
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((one) => one.kill()));
});
afterAll(() => stack?.close());

const listening = z.object({ message: z.literal('Listening'), address: z.object({ port: z.number() }) });
const readinessOf = z.object({ status: z.string(), restarts: z.number(), phase: z.string() });

interface WorkerProcess extends NodeProcess {
  /** Returns the readiness of the process, or undefined if the process does not respond within a second. */
  readiness(): Promise<z.infer<typeof readinessOf> | undefined>;
}

function startWorker(env: Record<string, string> = {}): WorkerProcess {
  const file = new URL('support/process.ts', import.meta.url).pathname;
  const running = startNode(file, {
    env: { TEMPORAL_ADDRESS: stack.address, WORKFLOW_BUNDLE: codePath, ...env },
  });
  const port = () =>
    running
      .stderr()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => listening.safeParse(JSON.parse(line)))
      .find(({ success }) => success)?.data?.address.port;
  const started = {
    ...running,
    readiness: async () => {
      const url = `http://127.0.0.1:${port() ?? 1}/readyz`;
      const body = await fetch(url, { signal: AbortSignal.timeout(1_000) })
        .then((response): unknown => response.json())
        .catch(() => undefined);
      return body === undefined ? undefined : readinessOf.parse(body);
    },
  };
  processes.push(started);
  return started;
}

const untilReady = (worker: WorkerProcess) =>
  expect.poll(() => worker.readiness(), { timeout: 90_000, interval: 50 }).toMatchObject({ status: 'ready' });
/** Returns how often the process has replaced its worker. */
const restartsOf = (worker: WorkerProcess) =>
  vi.waitFor(async () => {
    const known = await worker.readiness();
    if (!known) throw new Error(`The process does not respond\n${worker.output()}`);
    return known.restarts;
  }, 30_000);

/** Runs a workflow that needs both the worker's workflow poller and activity poller. */
async function expectToWork(name: string): Promise<void> {
  const handle = await client.workflow.start('echo', { taskQueue, workflowId: name, args: [name] });
  const inTime = await Promise.race([handle.result(), sleep(WORKS_MS, 'not in time')]);
  expect(inTime).toBe(name);
}

it(
  'a worker process never hangs after its worker fails while the event loop is blocked, and completes workflows whenever it is ready',
  async () => {
    let worker = startWorker({ BLOCK_MS: '150' });
    await untilReady(worker);
    const ends: unknown[] = [];
    for (let death = 1; death <= deaths; death++) {
      const before = await restartsOf(worker);
      await client.workflow.start('kill', { taskQueue, workflowId: `kill-${death}` });
      const decided = performance.now() + DECIDES_MS;
      for (;;) {
        const { isReady, restarts } = await worker
          .readiness()
          .then((known) => ({ isReady: known?.status === 'ready', restarts: known?.restarts ?? 0 }));
        if (!worker.isRunning() || (isReady && restarts > before)) break;
        if (performance.now() > decided) throw new Error(`Death ${death}: undecided\n${worker.output()}`);
        await sleep(20);
      }
      if (!worker.isRunning()) {
        ends.push(await worker.ended);
        worker = startWorker({ BLOCK_MS: '150' });
        await untilReady(worker);
      }
      await expectToWork(`after-death-${death}`);
    }
    expect(ends.filter((code) => code !== 70)).toEqual([]);

    const signalled = performance.now();
    worker.child.kill('SIGTERM');
    expect([0, 1]).toContain(await worker.ended);
    expect(performance.now() - signalled).toBeLessThan(1_000 + 2_000 + 20_000);
  },
  120_000 + deaths * 20_000,
);

it('the process ends in time after SIGTERM even if an activity ignores its cancellation', async () => {
  const worker = startWorker();
  await untilReady(worker);
  const handle = await client.workflow.start('wait', { taskQueue, workflowId: 'sticks' });
  const pending = async () => (await handle.describe()).raw.pendingActivities?.[0]?.lastStartedTime;
  await expect.poll(pending, { timeout: 60_000 }).toBeTruthy();
  const signalled = performance.now();
  worker.child.kill('SIGTERM');
  expect(await worker.ended).toBe(1);
  expect(performance.now() - signalled).toBeLessThan(1_000 + 2_000 + 20_000);
  await handle.terminate();
});
