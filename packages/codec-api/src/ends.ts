import { z } from 'zod';

/**
 * Why a stream ends: it is complete; the caller's sign-in has expired, so sign in and go on; it reached a limit on
 * time, hits or bytes, so go on; the server is ending, so go on elsewhere; or it failed.
 */
export const endReason = z.enum(['complete', 'signed_out', 'limit', 'shutdown', 'error']);
export type EndReason = z.infer<typeof endReason>;

/** Where a stream of events ended. One without this as its last line was cut off. */
export const streamEnd = z.object({
  type: z.literal('end'),
  reason: endReason,
  /** The last durable event sent or looked at; `after` for the next request. */
  after: z.number().int().nonnegative(),
  /** For people. */
  message: z.string().optional(),
});
