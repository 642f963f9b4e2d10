import { z } from 'zod/mini';
import { timestamp } from './workflow.ts';

const count = z.int().check(z.nonnegative());

/** A task queue that a run depends on, and the workers that poll it. */
export const runTaskQueue = z.object({
  name: z.string(),
  /** The type of tasks: workflow tasks or activity tasks. */
  kind: z.enum(['workflow', 'activity']),
  /** How many of the run's tasks wait in the queue. */
  waiting: count,
  /** Number of workers that polled in the last five minutes; Temporal forgets pollers after that time. */
  pollers: count,
  /** When a worker last polled. */
  lastPoll: z.optional(timestamp),
  /** Whether a worker is polling now, judged by the time of its last poll. A busy worker does not poll. */
  polling: z.boolean(),
});
export type RunTaskQueue = z.infer<typeof runTaskQueue>;

/** Maximum number of task queues that the server describes for one run. */
export const MAX_TASK_QUEUES = 8;

/** `GET …/runs/{runId}/task-queues`: empty for a closed run, or if Temporal does not permit the call. */
export const runTaskQueues = z.object({ taskQueues: z.array(runTaskQueue) });
export type RunTaskQueues = z.infer<typeof runTaskQueues>;
