import { z } from 'zod/mini';
import { runId, workflowId } from './parameters.ts';
import { runTaskQueue } from './task-queues.ts';
import { execution, timestamp } from './workflow.ts';

/** Maximum number of runs in one request. */
export const MAX_PROGRESS_RUNS = 100;

/**
 * Time in milliseconds after which a wait counts as long. A polling worker takes a task within a second, and
 * a sticky task queue delays the task by at most 10 s.
 */
export const LONG_WAIT_MS = 30_000;

/** `POST …/workflows:progress`: returns what open runs wait for. */
export const progressRequest = z.strictObject({
  runs: z.array(z.strictObject({ workflowId, runId })).check(z.minLength(1), z.maxLength(MAX_PROGRESS_RUNS)),
});
export type ProgressRequest = z.infer<typeof progressRequest>;

const attempt = z.int().check(z.positive());

/** What a run waits for, except paused activities. */
export const runProgress = z.extend(execution, {
  /** The workflow task that is scheduled or started, if there is one. */
  task: z.optional(
    z.object({
      attempt,
      since: z.optional(timestamp),
      /** Whether a worker has taken the task. */
      taken: z.boolean(),
    }),
  ),
  /** The activity or Nexus operation with the most attempts; absent if no first attempt has failed. */
  retrying: z.optional(z.object({ name: z.string(), attempt, maximumAttempts: z.optional(attempt) })),
  /** The activity that has waited longest for its first attempt. */
  untaken: z.optional(z.object({ name: z.string(), since: z.optional(timestamp) })),
  /**
   * If a task has waited for `LONG_WAIT_MS`, all task queues in which the run's tasks wait, except the task queues that
   * Temporal does not describe. Otherwise, the list is empty.
   */
  taskQueues: z.array(runTaskQueue),
});
export type RunProgress = z.infer<typeof runProgress>;

/** The requested runs that exist in Temporal, in the order of the request. */
export const runsProgress = z.object({ runs: z.array(runProgress) });
export type RunsProgress = z.infer<typeof runsProgress>;
