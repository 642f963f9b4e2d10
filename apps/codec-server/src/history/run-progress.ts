import {
  LONG_WAIT_MS,
  type ProgressRequest,
  type RunProgress,
  type RunTaskQueue,
} from '@temporal-kms/codec-api';
import { WORKER_SHUTDOWN } from '@temporal-kms/histories/failures';
import { timestamp } from '@temporal-kms/histories/payloads';
import proto, { type temporal } from '@temporalio/proto';
import { HttpError } from '../errors.ts';
import { taskQueuesOf } from './task-queues.ts';

type Description = temporal.api.workflowservice.v1.IDescribeWorkflowExecutionResponse;
type Run = ProgressRequest['runs'][number];
type Waits = Pick<RunProgress, 'task' | 'retrying' | 'untaken'>;

/** Number of runs that are described at a time. */
const CONCURRENT_RUNS = 4;

/** Maximum number of task queues whose pollers one request reads. */
const MAX_QUEUES = 32;

interface Sources {
  readonly describe: (run: Run, signal: AbortSignal) => Promise<Description>;
  readonly pollersOf: (
    queue: ReturnType<typeof taskQueuesOf>[number],
    signal: AbortSignal,
  ) => Promise<RunTaskQueue | undefined>;
}

/**
 * Returns what each run waits for. Describes several runs at a time, and leaves out runs that Temporal
 * does not have.
 */
export async function progressOfRuns(
  runs: readonly Run[],
  { describe, pollersOf }: Sources,
  requested: AbortSignal,
): Promise<RunProgress[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([requested, stop.signal]);
  const found = new Map<number, RunProgress>();
  const queues = new Set<string>();
  const rest = runs.entries();
  const queuesOf = async (description: Description): Promise<RunTaskQueue[]> => {
    const waiting = taskQueuesOf(description).filter((queue) => {
      const key = JSON.stringify([queue.kind, queue.name]);
      if (queue.waiting > 0 && queues.size < MAX_QUEUES) queues.add(key);
      return queue.waiting > 0 && queues.has(key);
    });
    // Without the pollers, the result still shows that the run is waiting.
    const described = await Promise.all(
      waiting.map((queue) => pollersOf(queue, signal).catch(() => undefined)),
    );
    return described.filter((queue) => queue !== undefined);
  };
  const work = async (): Promise<void> => {
    for (const [index, run] of rest) {
      signal.throwIfAborted();
      const description = await describe(run, signal).catch((error: unknown) => {
        if (error instanceof HttpError && error.code === 'not_found') return undefined;
        throw error;
      });
      if (description === undefined) continue;
      const waits = waitsOf(description);
      const taskQueues = isLong(waits, Date.now()) ? await queuesOf(description) : [];
      found.set(index, { workflowId: run.workflowId, runId: run.runId, ...waits, taskQueues });
    }
  };
  try {
    await Promise.all(Array.from({ length: CONCURRENT_RUNS }, work));
  } finally {
    // After a failure, the results of the other calls are not needed.
    stop.abort();
  }
  return [...found].toSorted(([a], [b]) => a - b).map(([, progress]) => progress);
}

const { PendingActivityState, PendingWorkflowTaskState } = proto.temporal.api.enums.v1;

/** Returns what a run waits for. */
export function waitsOf(description: Description): Waits {
  const { pendingWorkflowTask: task } = description;
  const activities = (description.pendingActivities ?? []).filter(({ paused }) => !paused).map(activityOf);
  const operations = (description.pendingNexusOperations ?? []).map(operationOf);
  const retried = activities.filter(({ isInterrupted }) => !isInterrupted);
  const [worst] = [...retried, ...operations].toSorted((a, b) => b.attempt - a.attempt);
  const [untaken] = activities
    .filter(({ attempt, isScheduled }) => isScheduled && attempt <= 1)
    .toSorted((a, b) => millisOf(a.scheduled) - millisOf(b.scheduled));
  return {
    ...(task && {
      task: {
        attempt: Math.max(task.attempt ?? 1, 1),
        ...since(task.originalScheduledTime ?? task.scheduledTime),
        taken: task.state !== PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED,
      },
    }),
    ...(worst &&
      worst.attempt > 1 && {
        retrying: {
          name: worst.name,
          attempt: worst.attempt,
          ...(worst.maximumAttempts > 0 && { maximumAttempts: worst.maximumAttempts }),
        },
      }),
    ...(untaken && { untaken: { name: untaken.name, ...since(untaken.scheduled) } }),
  };
}

type Time = Parameters<typeof timestamp>[0] | null | undefined;

const activityOf = (activity: temporal.api.workflow.v1.IPendingActivityInfo) => ({
  name: activity.activityType?.name ?? '',
  attempt: activity.attempt ?? 1,
  /** The number of attempts that the retry policy allows, or zero if there is no limit. */
  maximumAttempts: activity.maximumAttempts ?? 0,
  scheduled: activity.scheduledTime,
  isScheduled: activity.state === PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED,
  /** Whether the activity is running again after a shutdown of its worker interrupted it. */
  isInterrupted:
    activity.state === PendingActivityState.PENDING_ACTIVITY_STATE_STARTED &&
    activity.lastFailure?.applicationFailureInfo?.type === WORKER_SHUTDOWN,
});

const operationOf = (nexus: temporal.api.workflow.v1.IPendingNexusOperationInfo) => ({
  name: [nexus.service, nexus.operation].filter(Boolean).join('.'),
  attempt: nexus.attempt ?? 1,
  maximumAttempts: 0,
});

const since = (time: Time): { since?: string } => (time ? { since: timestamp(time) } : {});

const millisOf = (time: Time): number => (time ? Date.parse(timestamp(time)) : 0);

function isLong({ task, untaken }: Waits, now: number): boolean {
  const times = [task?.taken === false ? task.since : undefined, untaken?.since];
  return times.some((time) => time !== undefined && now - Date.parse(time) >= LONG_WAIT_MS);
}
