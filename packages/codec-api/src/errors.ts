import { z } from 'zod/mini';

/** The body of every error of the history API. `message` is for people and contains no payload, token or address. */
export const apiError = z.object({
  error: z.object({
    code: z.enum([
      'bad_request',
      'invalid_query',
      'unauthenticated',
      'forbidden',
      /** The namespace reveals payloads only on demand. Send a `justification`. */
      'justification_required',
      'not_found',
      'namespace_required',
      'too_large',
      'unsupported_media_type',
      'temporal_unavailable',
      /** No worker answered the query in time, or no worker polls the task queue. */
      'no_worker',
      /** The audit cannot be written, so nothing is decrypted. */
      'audit_unavailable',
      /** Too many requests or streams are in flight. */
      'busy',
      /** The caller exceeded a rate limit. Try again after the number of seconds in `Retry-After`. */
      'rate_limited',
      'timeout',
      'not_implemented',
      'shutting_down',
      'internal',
    ]),
    message: z.string(),
  }),
});
export type ApiError = z.infer<typeof apiError>;
export type ApiErrorCode = ApiError['error']['code'];

/**
 * Why a stream ends.
 * - `complete`: everything was sent.
 * - `signed_out`: the caller's token expired. Sign in and continue.
 * - `limit`: a limit on time, events, hits or bytes was reached. Continue with a new request.
 * - `shutdown`: the server is shutting down. Continue on another server.
 * - `error`: the stream failed.
 */
export const endReason = z.enum(['complete', 'signed_out', 'limit', 'shutdown', 'error']);
export type EndReason = z.infer<typeof endReason>;

/** The last line of a stream of events. A stream without this line was cut off. */
export const streamEnd = z.object({
  type: z.literal('end'),
  reason: endReason,
  /** The last durable event that was sent or searched. Send this number as `after` in the next request. */
  after: z.int().check(z.nonnegative()),
  /** A message for people. */
  message: z.optional(z.string()),
});
