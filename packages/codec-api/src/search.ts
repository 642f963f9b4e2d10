import { z } from 'zod/mini';
import { endReason, streamEnd } from './errors.ts';
import { keyUse, payloadRef, justification } from './payload.ts';
import { listPosition, visibilityQuery } from './parameters.ts';
import { reasonCounts } from './reasons.ts';
import { workflowSummary } from './workflow.ts';

/** Maximum number of hits in one search. A search that reaches this number ends with `limit`. */
export const MAX_HITS = 1_000;

/**
 * Maximum length of the search text, in characters. A search for a longer text could take too long, because a
 * crafted payload may almost match the text at every position.
 */
const MAX_TEXT = 200;

/** The fields of a search request that determine what to search for. */
export const searchedText = {
  /** The literal text to search for, not a pattern. */
  text: z.string().check(z.minLength(1), z.maxLength(MAX_TEXT)),
  caseSensitive: z._default(z.boolean(), false),
};

/** `POST …/runs/{runId}/history:search`: searches for text in the run's payloads, which the server decrypts. */
export const searchRequest = z.strictObject({
  ...searchedText,
  order: z._default(z.enum(['newest_first', 'oldest_first']), 'newest_first'),
  /** The event after which to continue: the last event of an earlier search in the same order. */
  after: z.optional(z.int().check(z.nonnegative())),
  justification: z.optional(justification),
});
export type SearchRequest = z.infer<typeof searchRequest>;

/** Roughly how many characters are masked. The exact number would reveal more than a search needs. */
const maskedLength = z.enum(['0', '1-4', '5-16', '17-64', '65+']);
export type MaskedLength = z.infer<typeof maskedLength>;

/** A value or a key that contains the text. In a payload that is not JSON, the whole body is the value. */
export const searchHit = z.object({
  type: z.literal('hit'),
  ref: payloadRef,
  eventId: z.int().check(z.positive()),
  /** Path of the payload in its event, as in `payloadStub`. */
  path: z.string(),
  /** JSON Pointer (RFC 6901) in the decoded payload; empty for the whole payload. */
  pointer: z.string(),
  in: z.enum(['key', 'value']),
  /** How often the value or key contains the text. */
  matches: z.int().check(z.positive()),
  /**
   * The first match as it is spelt in the payload, and the length of the text around it, but not that text.
   */
  snippet: z.object({ before: maskedLength, match: z.string(), after: maskedLength }),
  key: z.optional(keyUse),
  /** Whether the payload was read from external storage. */
  stored: z.optional(z.literal(true)),
  /** Number of further matching keys and values in the payload. Only the payload's last hit has this field. */
  more: z.optional(z.int().check(z.positive())),
});
export type SearchHit = z.infer<typeof searchHit>;

const searched = {
  /** Number of events that were searched. */
  events: z.int().check(z.nonnegative()),
  /** Number of payloads that were decrypted, and their stored size in bytes. */
  payloads: z.int().check(z.nonnegative()),
  bytes: z.int().check(z.nonnegative()),
  /** Number of Cloud KMS calls that the search made for keys that were not cached. */
  kmsCalls: z.int().check(z.nonnegative()),
  /**
   * Number of payloads that were not searched, by reason code, and that may contain the text. These payloads could not
   * be decrypted, or searching them would have taken too much time or memory (`too_large`).
   */
  unreadable: reasonCounts,
};

/** The lines of the response, in the requested order; the last line is `end`. */
export const searchFrame = z.discriminatedUnion('type', [
  searchHit,
  z.object({
    type: z.literal('progress'),
    after: z.int().check(z.nonnegative()),
    /** Number of the run's events when the search began. */
    of: z.int().check(z.nonnegative()),
    ...searched,
  }),
  z.extend(streamEnd, { hits: z.int().check(z.nonnegative()), ...searched }),
]);
export type SearchFrame = z.infer<typeof searchFrame>;

/** Maximum number of runs in one search across runs. A search that reaches this number ends with `limit`. */
export const MAX_SEARCHED_RUNS = 1_000;

/** `POST …/workflows:search`: searches for text in the payloads of all runs that match a visibility query. */
export const workflowSearchRequest = z.strictObject({
  ...searchedText,
  query: visibilityQuery,
  /** The `after` of the last frame of an earlier search with the same query, to continue that search. */
  after: z.optional(listPosition),
  justification: z.optional(justification),
});
export type WorkflowSearchRequest = z.infer<typeof workflowSearchRequest>;

const searchedRuns = {
  /** The position after the last run whose hits were all sent. */
  after: z.string(),
  /** Number of runs that were searched. */
  runs: z.int().check(z.nonnegative()),
  hits: z.int().check(z.nonnegative()),
  ...searched,
};

/** The lines of the response, newest run first; the last line is `end`. */
export const workflowSearchFrame = z.discriminatedUnion('type', [
  /** A run with hits. The `hit` lines of this run follow. */
  z.object({
    type: z.literal('run'),
    workflow: workflowSummary,
    hits: z.int().check(z.positive()),
    /**
     * Whether the run may have more hits, because only its newest events were searched or because it has too
     * many hits.
     */
    partial: z.boolean(),
  }),
  /** A hit in the run of the preceding `run` line. */
  searchHit,
  z.object({ type: z.literal('progress'), ...searchedRuns }),
  z.object({
    type: z.literal('end'),
    reason: endReason,
    /** Number of runs in which only the newest events were searched. */
    partial: z.int().check(z.nonnegative()),
    /** Number of runs that could not be read, for example because their retention period has ended. */
    failed: z.int().check(z.nonnegative()),
    ...searchedRuns,
    /** A message for people. */
    message: z.optional(z.string()),
  }),
]);
export type WorkflowSearchFrame = z.infer<typeof workflowSearchFrame>;
