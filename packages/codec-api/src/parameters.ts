import { z } from 'zod/mini';

/** Temporal's default limit on ids (`limit.maxIDLength`). */
export const workflowId = z
  .string()
  .check(z.minLength(1, 'is missing'), z.maxLength(1_000, 'is longer than 1,000 characters'));

export const runId = z.uuid('is not a run id (a UUID)');

/**
 * Refuses null characters, because Temporal's SQL stores respond to a query that contains them as if the stores were
 * unavailable.
 */
// oxlint-disable-next-line no-control-regex -- the rule would forbid the character that this pattern refuses
const noNull = z.regex(/^[^\u0000]*$/, 'contains a null character');

/**
 * A visibility query of Temporal (https://docs.temporal.io/list-filter). An empty query matches all runs. The limit on
 * its length ensures that a request's head can contain the percent-encoded query.
 */
export const visibilityQuery = z._default(
  z.string().check(z.maxLength(5_000, 'is longer than 5,000 characters'), noNull),
  '',
);

/**
 * A position in the list of runs that match a query. Use the `after` value from the last line of an earlier
 * response.
 */
export const listPosition = z
  .string()
  .check(
    z.maxLength(8_300),
    z.regex(/^[A-Za-z0-9_-]*\.[A-Za-z0-9-]*$/, 'is not a value that this server returned'),
  );

/** Returns the text as a string literal for a visibility query. */
export const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

const WHOLE = 'must be a whole number from 1 to 1,000';
const upTo1000 = z.coerce.number(WHOLE).check(z.int(WHOLE), z.minimum(1, WHOLE), z.maximum(1_000, WHOLE));

/** The `nextPageToken` of the previous page. */
export const pageToken = z.optional(
  z
    .string()
    .check(z.maxLength(8_192), z.regex(/^[A-Za-z0-9_-]+$/, 'is not a value that this server returned')),
);

export const workflowListQuery = z.object({
  query: visibilityQuery,
  pageSize: z._default(upTo1000, 100),
  pageToken,
});

export const workflowCountQuery = z.object({ query: visibilityQuery });

/** If `prefix` is present, the response contains only types that begin with `prefix`. */
export const workflowTypesQuery = z.object({
  prefix: z._default(z.string().check(z.maxLength(200), noNull), ''),
});

/** If `runId` is absent, the response describes the latest run. */
export const workflowDescriptionQuery = z.object({ runId: z.optional(runId) });

export const auditQuery = z.object({
  /** The `next` of the previous page. */
  after: z.optional(
    z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}$/, 'is not a value that this server returned')),
  ),
  limit: z._default(upTo1000, 100),
  workflowId: z.optional(workflowId),
});

export const historyQuery = z.object({
  /** The last event that the client has; the stream begins after it. */
  after: z.pipe(
    z._default(z.string().check(z.regex(/^\d{1,15}$/, 'must be an event id')), '0'),
    z.transform(Number),
  ),
  /** The stream ends after this many durable events, with the reason `limit`. */
  limit: z.optional(
    z.pipe(
      z.string().check(z.regex(/^[1-9]\d{0,5}$/, 'must be a number from 1 to 999999')),
      z.transform(Number),
    ),
  ),
  /** Whether the stream continues with new events until the run is closed. */
  live: z.pipe(
    z._default(z.enum(['true', 'false'], 'must be true or false'), 'false'),
    z.transform((value) => value === 'true'),
  ),
});
