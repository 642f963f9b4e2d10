import { MAX_TASK_QUEUES } from '@temporal-kms/codec-api';
import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import { HttpError } from '../../src/errors.ts';
import { taskQueuePollers, taskQueuesOf } from '../../src/history/task-queues.ts';
import type { TemporalService } from '../../src/temporal/service.ts';
import { never } from '../support/memory.ts';

const { PendingActivityState, PendingWorkflowTaskState } = proto.temporal.api.enums.v1;
const SCHEDULED = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED;
const { DescribeTaskQueueResponse } = proto.temporal.api.workflowservice.v1;

const activity = (queue: string, more: object = {}) => ({
  state: SCHEDULED,
  activityOptions: { taskQueue: { name: queue } },
  ...more,
});
const description = (more: object) => ({ executionConfig: { taskQueue: { name: 'orders' } }, ...more });

describe('taskQueuesOf', () => {
  it('returns the run’s task queue, and the task queues of activities that no worker has taken', () => {
    const pendingActivities = [
      activity('cards'),
      activity('cards'),
      activity('orders', { activityOptions: undefined }),
      activity('mail', { state: PendingActivityState.PENDING_ACTIVITY_STATE_STARTED }),
      activity('sms', { paused: true }),
    ];
    expect(taskQueuesOf(description({ pendingActivities }))).toEqual([
      { name: 'cards', kind: 'activity', waiting: 2 },
      { name: 'orders', kind: 'activity', waiting: 1 },
      { name: 'orders', kind: 'workflow', waiting: 0 },
    ]);
  });

  it('also returns, on request, the task queues of activities that a worker has taken', () => {
    const STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED;
    const pendingActivities = [activity('mail', { state: STARTED }), activity('sms', { paused: true })];
    expect(taskQueuesOf(description({ pendingActivities }), true)).toEqual([
      { name: 'orders', kind: 'workflow', waiting: 0 },
      { name: 'mail', kind: 'activity', waiting: 0 },
      { name: 'sms', kind: 'activity', waiting: 0 },
    ]);
  });

  it('counts a workflow task that no worker has taken', () => {
    const state = PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED;
    expect(taskQueuesOf(description({ pendingWorkflowTask: { state } }))).toEqual([
      { name: 'orders', kind: 'workflow', waiting: 1 },
    ]);
  });

  it('returns no task queues for a closed run, and a limited number of task queues for an open run', () => {
    expect(taskQueuesOf(description({ workflowExecutionInfo: { closeTime: { seconds: 1 } } }))).toEqual([]);
    const pendingActivities = Array.from({ length: 200 }, (_, n) => activity(`queue-${n}`));
    expect(taskQueuesOf(description({ pendingActivities }))).toHaveLength(MAX_TASK_QUEUES);
  });
});

const queue = { name: 'orders', kind: 'workflow', waiting: 1 } as const;
const poller = (identity: string, secondsAgo: number) => ({
  identity,
  lastAccessTime: { seconds: Math.floor(Date.now() / 1_000) - secondsAgo },
});

/** A service that first returns the pollers of one partition, and then the pollers of all partitions. */
function service(
  one: object[],
  all: object[],
): Pick<TemporalService, 'taskQueue'> & { readonly modes: number[] } {
  const modes: number[] = [];
  return {
    modes,
    taskQueue: async ({ apiMode = 0 }) => {
      modes.push(apiMode ?? 0);
      return DescribeTaskQueueResponse.fromObject(
        apiMode ? { versionsInfo: { '': { typesInfo: { 1: { pollers: all } } } } } : { pollers: one },
      );
    },
  };
}

describe('taskQueuePollers', () => {
  it('lists workers only on request, latest poll first, with each worker’s limit, build and deployment', async () => {
    const b = {
      ...poller('b', 5),
      ratePerSecond: 2.5,
      deploymentOptions: { buildId: '1.2', deploymentName: 'd' },
    };
    const a = { ...poller('a', 70), ratePerSecond: 100_000, workerVersionCapabilities: { buildId: '1.1' } };
    const pollers = taskQueuePollers(service([a, b, poller('a', 90)], []));
    const named = await pollers('payments', queue, never, true);
    const lastPoll = expect.any(String);
    expect(named?.workers).toEqual([
      { identity: 'b', lastPoll, ratePerSecond: 2.5, buildId: '1.2', deployment: 'd' },
      { identity: 'a', lastPoll, buildId: '1.1' },
    ]);
    expect(await pollers('payments', queue, never)).not.toHaveProperty('workers');
  });

  it('counts each worker once, and returns the time of the last poll', async () => {
    const temporal = service([poller('a', 70), poller('b', 5)], []);
    expect(await taskQueuePollers(temporal)('payments', queue, never)).toMatchObject({
      ...queue,
      pollers: 2,
      polling: true,
    });
    expect(temporal.modes).toEqual([0]);
  });

  it('queries all partitions if no worker polls the first partition', async () => {
    const temporal = service([poller('a', 200)], [poller('a', 20)]);
    const found = await taskQueuePollers(temporal)('payments', queue, never);
    expect(found).toMatchObject({ pollers: 1, polling: true });
    expect(temporal.modes).toEqual([0, 1]);
  });

  it('reports a worker that last polled minutes ago as no longer polling', async () => {
    const temporal = service([poller('a', 200)], [poller('a', 200)]);
    const found = await taskQueuePollers(temporal)('payments', queue, never);
    expect(found).toMatchObject({ pollers: 1, polling: false, lastPoll: expect.any(String) });
  });

  it.each([7, 12])(
    'returns undefined if Temporal refuses the call with status %i, and does not repeat the call',
    async (code) => {
      let calls = 0;
      const refused = async (): Promise<never> => {
        calls += 1;
        const cause = Object.assign(new Error('refused'), { code, details: 'refused', metadata: {} });
        throw new HttpError(503, 'temporal_unavailable', 'refused', { cause });
      };
      const pollers = taskQueuePollers({ taskQueue: refused });
      expect(await pollers('payments', queue, never)).toBeUndefined();
      expect(await pollers('payments', queue, never)).toBeUndefined();
      expect(calls).toBe(1);
    },
  );

  it('caches results separately by namespace and kind', async () => {
    const temporal = service([poller('a', 5)], []);
    const pollers = taskQueuePollers(temporal);
    await pollers('payments', queue, never);
    await pollers('orders', queue, never);
    await pollers('orders', { ...queue, kind: 'activity' }, never);
    await pollers('orders', queue, never);
    expect(temporal.modes).toHaveLength(3);
  });

  it('calls Temporal again after a failed call', async () => {
    let calls = 0;
    const pollers = taskQueuePollers({
      taskQueue: async () => {
        calls += 1;
        if (calls === 1) throw new Error('unavailable');
        return DescribeTaskQueueResponse.fromObject({ pollers: [poller('a', 5)] });
      },
    });
    await expect(pollers('payments', queue, never)).rejects.toThrow('unavailable');
    expect(await pollers('payments', queue, never)).toMatchObject({ polling: true });
  });
});
