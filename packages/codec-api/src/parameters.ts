import { z } from 'zod';

/** Temporal's default limit on ids (`limit.maxIDLength`). */
export const workflowId = z.string().min(1, 'is missing').max(1_000, 'is longer than 1,000 characters');

export const runId = z.uuid('is not a run id (a UUID)');

/**
 * A visibility query of Temporal; empty for all runs. https://docs.temporal.io/list-filter
 * The limit keeps the percent-encoded query within the head of a request.
 */
export const visibilityQuery = z.string().max(5_000, 'is longer than 5,000 characters').default('');

const WHOLE = 'must be a whole number from 1 to 1,000';
const upTo1000 = z.coerce.number(WHOLE).int(WHOLE).min(1, WHOLE).max(1_000, WHOLE);

export const workflowListQuery = z.object({
  query: visibilityQuery,
  pageSize: upTo1000.default(100),
  /** `nextPageToken` of the previous page. */
  pageToken: z
    .string()
    .max(8_192)
    .regex(/^[A-Za-z0-9_-]+$/, 'is not a value that this server returned')
    .optional(),
});

export const workflowCountQuery = z.object({ query: visibilityQuery });

/** Without `runId`: the latest run. */
export const workflowDescriptionQuery = z.object({ runId: runId.optional() });

export const auditQuery = z.object({
  /** `next` of the previous page. */
  after: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'is not a value that this server returned')
    .optional(),
  limit: upTo1000.default(100),
  workflowId: workflowId.optional(),
});

export const historyQuery = z.object({
  /** The last event that the client has; the stream begins after it. */
  after: z
    .string()
    .regex(/^\d{1,15}$/, 'must be an event id')
    .default('0')
    .transform(Number),
  /** Continue with new events until the run is closed. */
  live: z
    .enum(['true', 'false'], 'must be true or false')
    .default('false')
    .transform((value) => value === 'true'),
});
