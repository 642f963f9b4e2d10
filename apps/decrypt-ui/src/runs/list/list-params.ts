import { z } from 'zod/mini';

/** The search parameters of the list's address. */
export const listSearch = z.object({
  /** A visibility query (its times may be relative), or the beginning of a workflow id or type. */
  q: z.catch(z.optional(z.string().check(z.maxLength(5_000))), undefined),
  /** The columns from left to right, separated by commas. */
  cols: z.catch(z.optional(z.string().check(z.maxLength(1_000))), undefined),
});
export type ListSearch = z.infer<typeof listSearch>;
