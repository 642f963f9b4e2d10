import { z } from 'zod/mini';
import { runId, workflowId } from './parameters.ts';
import { runTaskQueue } from './task-queues.ts';
import { execution, timestamp } from './workflow.ts';

/** Most runs of one request. */
export const MAX_PROGRESS_RUNS = 100;

/** Milliseconds. A worker that polls takes a task within a second; a sticky task queue delays it by 10 s at most. */
export const LONG_WAIT_MS = 30_000;

/** `POST …/workflows:progress`: what open runs wait for. */
export const progressRequest = z.strictObject({
  runs: z.array(z.strictObject({ workflowId, runId })).check(z.minLength(1), z.maxLength(MAX_PROGRESS_RUNS)),
});
export type ProgressRequest = z.infer<typeof progressRequest>;

const attempt = z.int().check(z.positive());

/** What a run waits for. An activity that is paused is left out. */
export const runProgress = z.extend(execution, {
  /** The workflow task, until it has completed. */
  task: z.optional(
    z.object({
      attempt,
      since: z.optional(timestamp),
      /** Whether a worker has taken the task. */
      taken: z.boolean(),
    }),
  ),
  /** The activity or Nexus operation with the most attempts, if its first attempt has failed. */
  retrying: z.optional(z.object({ name: z.string(), attempt, maximumAttempts: z.optional(attempt) })),
  /** The activity that has waited longest for its first attempt. */
  untaken: z.optional(z.object({ name: z.string(), since: z.optional(timestamp) })),
  /** The task queues where something has waited for `LONG_WAIT_MS`, except those that Temporal does not describe. */
  taskQueues: z.array(runTaskQueue),
});
export type RunProgress = z.infer<typeof runProgress>;

/** In the order of the request. Runs that Temporal does not have are left out. */
export const runsProgress = z.object({ runs: z.array(runProgress) });
export type RunsProgress = z.infer<typeof runsProgress>;
