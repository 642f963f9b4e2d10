import { z } from 'zod/mini';
import { endReason } from './errors.ts';
import { listPosition, visibilityQuery } from './parameters.ts';
import { justification, payloadRef } from './payload.ts';
import { reasonCode, reasonCounts } from './reasons.ts';
import { execution, timestamp, workflowStatus, type WorkflowStatus } from './workflow.ts';

/** The statuses of failed runs. The server determines a cause for each such run. */
export const failedStatuses: readonly WorkflowStatus[] = ['Failed', 'TimedOut', 'Terminated'];

/** Maximum number of failed runs to read. If more match, the server reads a sample of about this size. */
export const MAX_CAUSE_RUNS = 2_000;

/**
 * `POST …/workflows:causes`: returns why the runs that match a visibility query failed, without plaintext.
 */
export const causesRequest = z.strictObject({
  query: visibilityQuery,
  /** The `after` of the last frame of an earlier request with the same query, to continue that request. */
  after: z.optional(listPosition),
});

/** `POST …/workflows:decode-causes`: returns the same causes with the failures' messages and stack frames. */
export const decodeCausesRequest = z.extend(causesRequest, { justification: z.optional(justification) });
export type DecodeCausesRequest = z.infer<typeof decodeCausesRequest>;

const text = (maximum: number) => z.string().check(z.maxLength(maximum));

/** The parts that failures with the same fingerprint have in common. */
export const causeFingerprint = z.object({
  id: text(40),
  /** Fingerprints of different versions cannot be compared. */
  version: z.int().check(z.positive()),
  parts: z.object({
    type: text(200),
    /**
     * The innermost step that failed, such as `activity charge`, or `workflow order` if the workflow's own
     * code failed.
     */
    place: text(200),
    /** The application's innermost functions and files. The list is empty while the stack trace is locked. */
    frames: z.array(text(200)).check(z.maxLength(3)),
    /** The message without the parts that differ from run to run, or absent while the message is locked. */
    shape: z.optional(text(2_000)),
  }),
});

/** A failure's message, or why it is absent. */
export const causeMessage = z.discriminatedUnion('status', [
  z.object({ status: z.literal('readable'), text: text(1_000), encrypted: z.boolean() }),
  z.object({ status: z.literal('locked'), ref: payloadRef }),
  z.object({ status: z.literal('unreadable'), ref: payloadRef, reason: reasonCode }),
]);
export type CauseMessage = z.infer<typeof causeMessage>;

/** A run that failed, or a running run whose workflow task keeps failing, and the cause. */
export const runCause = z.extend(execution, {
  workflowType: z.string(),
  status: workflowStatus,
  startTime: z.optional(timestamp),
  closeTime: z.optional(timestamp),
  /** When Temporal recorded the failure of the workflow task, if the run is still running. */
  failingSince: z.optional(timestamp),
  /** The worker deployment version or build id that the run used last, if Temporal knows it. */
  build: z.optional(text(200)),
  fingerprint: causeFingerprint,
  message: causeMessage,
});
export type RunCause = z.infer<typeof runCause>;

const count = z.int().check(z.nonnegative());

const readRuns = {
  /** The position after the last run that was sent. */
  after: z.string(),
  /** Number of runs that were read in this request. */
  runs: count,
  /** Number of runs that could not be read, for example because their retention period has ended. */
  failed: count,
  /** Number of Cloud KMS calls that the request made for keys that were not cached. */
  kmsCalls: count,
  /** Number of messages and stack traces that could not be decrypted, by reason code. */
  unreadable: reasonCounts,
};

/** The lines of the response: `start`, then the runs in the order in which Temporal lists them, then `end`. */
export const causeFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('start'),
    /** Number of runs that match the query and have failed, or whose workflow task keeps failing. */
    total: count,
    /**
     * Whether the response includes running runs whose workflow task keeps failing. Older Temporal servers cannot
     * list these runs.
     */
    failingTasks: z.boolean(),
    /**
     * The share of the matching runs that the server reads. The share is less than 1 if more than `MAX_CAUSE_RUNS`
     * runs match; the server then selects runs by their ids.
     */
    share: z.number(),
  }),
  z.extend(runCause, { type: z.literal('run') }),
  z.object({ type: z.literal('progress'), ...readRuns }),
  z.object({ type: z.literal('end'), reason: endReason, ...readRuns, message: z.optional(z.string()) }),
]);
export type CauseFrame = z.infer<typeof causeFrame>;
