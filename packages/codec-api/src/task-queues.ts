import { z } from 'zod/mini';
import { timestamp } from './workflow.ts';

const count = z.int().check(z.nonnegative());

/** A worker that polls a task queue. */
const queueWorker = z.object({
  /** The name that the worker gives itself: by default, its process id and host. */
  identity: z.string(),
  lastPoll: z.optional(timestamp),
  /** Maximum number of activities per second that the worker takes; absent if there is no limit. */
  ratePerSecond: z.optional(z.number()),
  buildId: z.optional(z.string()),
  /** The worker deployment that the build belongs to. */
  deployment: z.optional(z.string()),
});

/** A task queue that a run depends on, and the workers that poll it. */
export const runTaskQueue = z.object({
  name: z.string(),
  /** The type of tasks: workflow tasks or activity tasks. */
  kind: z.enum(['workflow', 'activity']),
  /** Number of the run's tasks that wait in the queue. */
  waiting: count,
  /** Number of workers that polled in the last five minutes. Temporal forgets pollers after that time. */
  pollers: count,
  /** When a worker last polled. */
  lastPoll: z.optional(timestamp),
  /** Whether a worker is polling now, judged by the time of its last poll. A busy worker does not poll. */
  polling: z.boolean(),
  /** With `workers=true`, the 50 workers that polled most recently, latest first. */
  workers: z.optional(z.array(queueWorker)),
});
export type RunTaskQueue = z.infer<typeof runTaskQueue>;

/** Maximum number of task queues that the server describes for one run. */
export const MAX_TASK_QUEUES = 8;

/** Maximum number of workers that the server lists for a task queue. */
export const MAX_WORKERS = 50;

/**
 * If `workers` is true, the response lists the workers, and includes the task queues of activities that a
 * worker has already taken.
 */
export const runTaskQueuesQuery = z.object({
  workers: z.pipe(
    z._default(z.enum(['true', 'false'], 'must be true or false'), 'false'),
    z.transform((value) => value === 'true'),
  ),
});

/**
 * `GET …/runs/{runId}/task-queues?workers=`: returns the task queues that an open run depends on. The list is empty
 * for a closed run, or if Temporal does not permit the call.
 */
export const runTaskQueues = z.object({ taskQueues: z.array(runTaskQueue) });
export type RunTaskQueues = z.infer<typeof runTaskQueues>;
