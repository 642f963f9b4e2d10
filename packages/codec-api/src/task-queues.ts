import { z } from 'zod/mini';
import { timestamp } from './workflow.ts';

const count = z.int().check(z.nonnegative());

/** A task queue that a run depends on, and the workers that poll it. */
export const runTaskQueue = z.object({
  name: z.string(),
  /** Which of the queue's tasks: workflow tasks or activity tasks. */
  kind: z.enum(['workflow', 'activity']),
  /** How many tasks of the run wait in the queue. */
  waiting: count,
  /** Workers that have polled in the last five minutes, after which Temporal forgets them. */
  pollers: count,
  /** When a worker last polled. */
  lastPoll: z.optional(timestamp),
  /** Whether a worker has polled so recently that it still polls. Workers that are busy do not poll. */
  polling: z.boolean(),
});
export type RunTaskQueue = z.infer<typeof runTaskQueue>;

/** Most task queues of one run that the server describes. */
export const MAX_TASK_QUEUES = 8;

/** `GET …/runs/{runId}/task-queues`: empty for a closed run, and where Temporal does not permit the question. */
export const runTaskQueues = z.object({ taskQueues: z.array(runTaskQueue) });
export type RunTaskQueues = z.infer<typeof runTaskQueues>;
