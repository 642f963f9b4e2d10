import { z } from 'zod/mini';

/** The search parameters of the page with failures by cause. */
export const causesSearch = z.object({
  /** A visibility query, as in the list's address. */
  q: z.catch(z.optional(z.string().check(z.maxLength(5_000))), undefined),
});
