import { z } from 'zod/mini';
import { endReason } from './errors.ts';
import { justification } from './payload.ts';
import { listPosition, visibilityQuery } from './parameters.ts';
import { reasonCounts } from './reasons.ts';
import { execution, timestamp } from './workflow.ts';

/** Maximum number of runs in one response. A response that reaches this number ends with `limit`. */
export const MAX_FIELD_RUNS = 200;

/**
 * Maximum number of times in a `RunSample`. The server calls Temporal once for each time, and Temporal limits
 * the rate of calls.
 */
export const MAX_SAMPLE_TIMES = 20;

const millis = z.int().check(z.nonnegative(), z.maximum(8_640_000_000_000_000));

/** Selects closed runs by their closing times, in milliseconds since 1970. */
const runSample = z.strictObject({
  /** Runs that closed earlier are left out. */
  from: millis,
  /**
   * Times, newest first. For each time, the server reads the newest runs that had closed by then: at most
   * `MAX_FIELD_RUNS` divided by the number of times. No run is repeated.
   */
  until: z.array(millis).check(z.minLength(1), z.maxLength(MAX_SAMPLE_TIMES)),
});
export type RunSample = z.infer<typeof runSample>;

const query = {
  query: visibilityQuery,
  /** The response ends after this number of runs. */
  runs: z._default(z.int().check(z.minimum(1), z.maximum(MAX_FIELD_RUNS)), MAX_FIELD_RUNS),
  /** The `after` of the last line of an earlier response to the same query, to continue that response. */
  after: z.optional(listPosition),
  /** Which of the matching runs to read. Default: the runs that Temporal lists first. */
  sample: z.optional(runSample),
};

/**
 * `POST …/workflows:fields`: returns those fields of a run that the server can read without decryption, for
 * each run.
 */
export const runFieldsRequest = z.strictObject(query);
export type RunFieldsRequest = z.infer<typeof runFieldsRequest>;

/**
 * `POST …/workflows:decode-fields`: returns the fields of runs, including those in decrypted inputs and
 * memos.
 */
export const decodeFieldsRequest = z.strictObject({ ...query, justification: z.optional(justification) });
export type DecodeFieldsRequest = z.infer<typeof decodeFieldsRequest>;

/** The lines of the response, in the order in which Temporal lists the runs. The last line is `end`. */
export const runFieldsFrame = z.discriminatedUnion('type', [
  z.extend(execution, {
    type: z.literal('run'),
    startTime: z.optional(timestamp),
    /**
     * The fields by name, such as `queue`, `hour` (of the start, in UTC), `input.amount`, `input2` for a
     * second argument, `memo.customer`, and `attribute.CustomerTier`. Times are in milliseconds. If a field's
     * text has more than 200 characters, the response contains only the text's length.
     */
    fields: z.record(z.string(), z.nullable(z.union([z.string(), z.number(), z.boolean()]))),
    /** Number of payloads in the start event that could not be decrypted or parsed, by reason code. */
    unreadable: reasonCounts,
    /** The position after this run, for `after` in a later request. */
    after: z.string(),
  }),
  z.object({
    type: z.literal('end'),
    reason: endReason,
    /** Number of runs that were sent. */
    runs: z.int().check(z.nonnegative()),
    /** Number of runs that could not be read, for example because their retention period has ended. */
    failed: z.int().check(z.nonnegative()),
    /** Number of Cloud KMS calls that the request made for keys that were not cached. */
    kmsCalls: z.int().check(z.nonnegative()),
    /** A message for people. */
    message: z.optional(z.string()),
    /** The position after the last run that was sent or could not be read. */
    after: z.string(),
  }),
]);
export type RunFieldsFrame = z.infer<typeof runFieldsFrame>;
