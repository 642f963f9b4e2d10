import { auditOperation, auditResult, workflowId } from '@temporal-kms/codec-api';
import { z } from 'zod/mini';

/** Time spans that end now. */
export const spans = ['1h', '24h', '7d', '30d'] as const;
export type Span = (typeof spans)[number];

/** Returns the schema of an optional parameter. An invalid value counts as absent. */
const maybe = <T extends z.core.$ZodType>(schema: T) => z.catch(z.optional(schema), undefined);
const moment = z.iso.datetime({ offset: true });

/**
 * The parameters in the audit's address. The address contains no names of people and no search text: see
 * `audit-conditions.ts`.
 */
export const auditSearch = z.object({
  op: maybe(auditOperation),
  out: maybe(z.enum([...auditResult.options, 'denied'])),
  wf: maybe(workflowId),
  last: maybe(z.enum(spans)),
  /** The start (inclusive) and the end (exclusive). */
  since: maybe(moment),
  until: maybe(moment),
});
export type AuditSearch = z.infer<typeof auditSearch>;
