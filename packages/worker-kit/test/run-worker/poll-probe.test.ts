import { OutageLog } from '@temporal-kms/node-utils/outage-log';
import { expect, it, onTestFinished, vi } from 'vitest';
import { PollProbe, probeTimes } from '../../src/run-worker/poll-probe.ts';
import type { SupervisedWorker, WorkerConnection } from '../../src/run-worker/temporal-types.ts';

const identity = '1@host';

const worker: SupervisedWorker = {
  options: { namespace: 'default', taskQueue: 'orders', identity, shutdownGraceTimeMs: 0 },
  run: () => Promise.resolve(),
  shutdown: () => undefined,
  getState: () => 'RUNNING',
  getStatus: () => ({ workflowPollerState: 'POLLING', activityPollerState: 'SHUTDOWN' }),
};

it('measures polls again after the server has refused a query, for example because the namespace did not exist yet', async () => {
  let isRefused = true;
  let seconds = 0;
  const connection: WorkerConnection = {
    workflowService: {
      describeTaskQueue: async () => {
        seconds += 1;
        if (isRefused) throw Object.assign(new Error('no such namespace'), { code: 5 });
        return { pollers: [{ identity, lastAccessTime: { seconds } }] };
      },
    },
    withDeadline: (_, call) => call(),
    close: () => Promise.resolve(),
  };
  const outage = new OutageLog(() => undefined, { down: 'down', up: 'up' });
  const probe = new PollProbe(connection, worker, outage, { ...probeTimes, intervalMs: 5, soonMs: 5 });
  const ended = new AbortController();
  onTestFinished(() => ended.abort());
  void probe.run(ended.signal);

  await vi.waitUntil(() => probe.isReachable, 30_000);
  expect(probe.isPolling).toBeUndefined();
  isRefused = false;
  await vi.waitUntil(() => probe.isPolling, 30_000);
});
