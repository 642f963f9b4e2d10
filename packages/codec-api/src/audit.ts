import { z } from 'zod';
import { keyUse } from './payload.ts';
import { reasonCode } from './reasons.ts';
import { timestamp } from './workflow.ts';

/** What a caller may be allowed to do in a namespace. */
export const permission = z.enum(['metadata', 'decode', 'encode', 'search', 'export', 'audit']);

/**
 * Who did what, when, from where, to which payloads, under which keys, and what became of it. Never content: no
 * payload, no token, no search term. Each operation has an `intent` before anything is decrypted and an `outcome`
 * with the same `id`, or one `denied`.
 */
export const auditEntry = z.object({
  time: timestamp,
  id: z.uuid(),
  event: z.enum(['intent', 'outcome', 'denied']),
  operation: permission,
  who: z.object({ name: z.string(), issuer: z.string().optional(), subject: z.string().optional() }),
  /** Address of the connection's other end. */
  from: z.string().optional(),
  namespace: z.string().optional(),
  workflowId: z.string().optional(),
  runId: z.string().optional(),
  refs: z.array(z.string()).optional(),
  /** In the caller's own words. */
  reason: z.string().optional(),
  outcome: z
    .object({
      result: z.enum(['complete', 'failed', 'cut_off']),
      /** How many were opened or sealed. */
      payloads: z.number().int().nonnegative(),
      keys: z.array(keyUse.extend({ payloads: z.number().int().positive() })),
      /** How many were refused, by code. */
      refused: z.partialRecord(reasonCode, z.number().int().positive()),
    })
    .optional(),
});
export type AuditEntry = z.infer<typeof auditEntry>;
