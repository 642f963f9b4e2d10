import { auditOperation, auditResult, workflowId } from '@temporal-kms/codec-api';
import { z } from 'zod/mini';

/** Spans of time that end now. */
export const spans = ['1h', '24h', '7d', '30d'] as const;
export type Span = (typeof spans)[number];

/** A parameter that may be absent; an invalid value counts as absent. */
const maybe = <T extends z.core.$ZodType>(schema: T) => z.catch(z.optional(schema), undefined);
const moment = z.iso.datetime({ offset: true });

/** What the address of the audit contains. Names and texts of people are not in it: see `audit-conditions.ts`. */
export const auditSearch = z.object({
  op: maybe(auditOperation),
  out: maybe(z.enum([...auditResult.options, 'denied'])),
  wf: maybe(workflowId),
  last: maybe(z.enum(spans)),
  /** The first moment, and the moment after the last. */
  since: maybe(moment),
  until: maybe(moment),
});
export type AuditSearch = z.infer<typeof auditSearch>;
