import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import { HttpError } from '../../src/errors.ts';
import { progressOfRuns, waitsOf } from '../../src/history/run-progress.ts';

const { PendingActivityState, PendingWorkflowTaskState } = proto.temporal.api.enums.v1;
const SCHEDULED = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED;
const STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED;
const WAITING = PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED;
const TAKEN = PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED;

const at = (seconds: number): any => ({ seconds, nanos: 0 });
const ago = (seconds: number) => at(Math.floor(Date.now() / 1_000) - seconds);
const activity = (name: string, more: object = {}) => ({
  activityType: { name },
  state: SCHEDULED,
  attempt: 1,
  scheduledTime: at(60),
  ...more,
});

describe('waitsOf', () => {
  it('returns the pending workflow task, and whether a worker has taken the task', () => {
    const task = { attempt: 3, originalScheduledTime: at(0), scheduledTime: at(60) };
    expect(waitsOf({ pendingWorkflowTask: { ...task, state: WAITING } })).toEqual({
      task: { attempt: 3, since: '1970-01-01T00:00:00Z', taken: false },
    });
    expect(waitsOf({ pendingWorkflowTask: { state: TAKEN } })).toEqual({ task: { attempt: 1, taken: true } });
  });

  it('returns the activity or operation with the most attempts, and the activity whose first attempt has waited longest', () => {
    const pendingActivities = [
      activity('mail', { attempt: 2, state: STARTED }),
      activity('pay', { attempt: 12, maximumAttempts: 50 }),
      activity('late'),
      activity('later', { scheduledTime: at(90) }),
      activity('paused', { attempt: 99, paused: true }),
    ];
    expect(waitsOf({ pendingActivities })).toEqual({
      retrying: { name: 'pay', attempt: 12, maximumAttempts: 50 },
      untaken: { name: 'late', since: '1970-01-01T00:01:00Z' },
    });
    // A Nexus operation does not wait for a task queue of the run.
    const pendingNexusOperations = [{ service: 'bank', operation: 'charge', attempt: 13 }];
    expect(waitsOf({ pendingActivities, pendingNexusOperations })).toMatchObject({
      retrying: { name: 'bank.charge', attempt: 13 },
      untaken: { name: 'late' },
    });
  });

  it('leaves out an activity that runs again after its worker was shut down', () => {
    const lastFailure = { applicationFailureInfo: { type: 'WorkerShutdown' } };
    const retrying = { name: 'watch', attempt: 6 };
    expect(
      waitsOf({ pendingActivities: [activity('watch', { attempt: 6, state: STARTED, lastFailure })] }),
    ).toEqual({});
    expect(waitsOf({ pendingActivities: [activity('watch', { attempt: 6, lastFailure })] })).toEqual({
      retrying,
    });
  });

  it('returns nothing for a run that waits for nothing', () => {
    expect(waitsOf({ pendingActivities: [activity('busy', { state: STARTED })] })).toEqual({});
  });
});

const runs = Array.from({ length: 100 }, (_, n) => ({ workflowId: `w-${n}`, runId: `r-${n}` }));
const never = new AbortController().signal;
const unavailable = new HttpError(503, 'temporal_unavailable', 'away');
const missing = new HttpError(404, 'not_found', 'no such run');
const untaken = (queue: string, seconds = 60) => ({
  executionConfig: { taskQueue: { name: queue } },
  pendingWorkflowTask: { state: WAITING, attempt: 1, originalScheduledTime: ago(seconds) },
});
const polled = async (queue: any) => ({ ...queue, pollers: 0, polling: false });

describe('progressOfRuns', () => {
  it('returns the runs in the requested order, and describes four runs at a time', async () => {
    let [now, most] = [0, 0];
    const described = async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise(setImmediate);
      now -= 1;
      return {};
    };
    const found = await progressOfRuns(runs, { describe: described, pollersOf: polled }, never);
    expect(found.map(({ runId }) => runId)).toEqual(runs.map(({ runId }) => runId));
    expect(most).toBe(4);
  });

  it('leaves out runs that Temporal does not have', async () => {
    const found = await progressOfRuns(
      runs.slice(0, 3),
      { describe: async ({ runId }) => (runId === 'r-1' ? Promise.reject(missing) : {}), pollersOf: polled },
      never,
    );
    expect(found.map(({ runId }) => runId)).toEqual(['r-0', 'r-2']);
  });

  it('fails when a description fails, and requests no further descriptions', async () => {
    let calls = 0;
    const described = async () => {
      calls += 1;
      throw unavailable;
    };
    const failing = progressOfRuns(runs, { describe: described, pollersOf: polled }, never);
    await expect(failing).rejects.toMatchObject({ code: 'temporal_unavailable' });
    expect(calls).toBeLessThanOrEqual(4);
  });

  it('stops describing runs when the client disconnects', async () => {
    const gone = new AbortController();
    let calls = 0;
    const described = async () => {
      calls += 1;
      gone.abort(new Error('gone'));
      return {};
    };
    await expect(
      progressOfRuns(runs, { describe: described, pollersOf: polled }, gone.signal),
    ).rejects.toThrow('gone');
    expect(calls).toBeLessThanOrEqual(4);
  });

  it('queries only the task queues of runs that have waited for 30 s', async () => {
    const found = await progressOfRuns(
      runs.slice(0, 2),
      {
        describe: async ({ runId }) => untaken(`queue-${runId}`, runId === 'r-0' ? 10 : 40),
        pollersOf: polled,
      },
      never,
    );
    expect(found.map(({ taskQueues }) => taskQueues)).toEqual([
      [],
      [expect.objectContaining({ name: 'queue-r-1', kind: 'workflow', waiting: 1, polling: false })],
    ]);
  });

  it('queries a limited number of task queues, and leaves out task queues that Temporal does not describe', async () => {
    const asked = new Set<string>();
    const pollersOf = async (queue: any) => {
      asked.add(queue.name);
      throw unavailable;
    };
    const found = await progressOfRuns(
      runs,
      { describe: async ({ runId }) => untaken(`queue-${runId}`), pollersOf },
      never,
    );
    expect(asked.size).toBe(32);
    expect(found.flatMap(({ taskQueues }) => taskQueues)).toEqual([]);
  });
});
