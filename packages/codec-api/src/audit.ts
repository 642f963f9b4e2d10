import { z } from 'zod';
import { keyUse } from './payload.ts';
import { reasonCounts } from './reasons.ts';
import { timestamp } from './workflow.ts';

/** What a caller may be allowed to do in a namespace. */
export const permission = z.enum(['metadata', 'decode', 'encode', 'search', 'export', 'audit']);
export type Permission = z.infer<typeof permission>;

/** The place of a line in its file's chain; docs/operations.md says how to verify it. */
export const auditChain = z.object({
  /** Random, of the process that wrote the line. */
  instance: z.string(),
  seq: z.number().int().positive(),
  /** SHA-256 of the line before. */
  prev: z.string(),
});

/**
 * Who did what, when, from where, to which payloads, under which keys, and what became of it. Never content: no
 * payload, no token, no search term. Each operation has an `intent` before anything is decrypted and an `outcome`
 * with the same `id`, or one `denied`.
 */
export const auditEntry = z.object({
  time: timestamp,
  id: z.uuid(),
  /** `digests`: further digests of an intent that has more than one line holds. */
  event: z.enum(['intent', 'digests', 'outcome', 'denied']),
  operation: permission,
  who: z.object({ name: z.string(), issuer: z.string().optional(), subject: z.string().optional() }),
  /** Address of the connection's other end. */
  from: z.string().optional(),
  namespace: z.string().optional(),
  requestNamespace: z
    .string()
    .optional()
    .describe(
      'The namespace of the request, where it asked for messages of `namespace` that were found elsewhere. Then ' +
        '`workflowId`, `runId` and `refs` are of this namespace.',
    ),
  workflowId: z.string().optional(),
  runId: z.string().optional(),
  refs: z.array(z.string()).optional(),
  /**
   * Of each ciphertext that the caller sent, where the server has a key for it: HMAC-SHA-256 of the payload's `data`, the
   * first 16 bytes in base64url.
   */
  digests: z.array(z.string()).optional(),
  /** Of a `digests` entry: 2 for the first, which follows the intent. */
  part: z.number().int().positive().optional(),
  /** Why the caller wanted the plaintext, in the caller's words. */
  justification: z.string().optional(),
  /** Why it was denied: the policy forbids it, or the justification is missing. */
  denied: z.enum(['forbidden', 'justification_required']).optional(),
  /**
   * How many refusals like this one followed the first, which has a line of its own: of the same caller, operation,
   * namespace and reason, since `since`. Without a namespace: in several. By `others` without an issuer: by the callers
   * that are too many to be told apart.
   */
  count: z.number().int().positive().optional(),
  since: timestamp.optional(),
  outcome: z
    .object({
      /**
       * `cut_off`: the reader went away, or the server ended before it had all. A stream that ended early for a
       * reason says which: sign-in expired, a limit, the server ending.
       */
      result: z.enum(['complete', 'failed', 'cut_off', 'signed_out', 'limit', 'shutdown']),
      /** How many were opened or sealed. */
      payloads: z.number().int().nonnegative(),
      /** With how many were opened or sealed under each; 0 where all that named it were refused. */
      keys: z.array(keyUse.extend({ payloads: z.number().int().nonnegative() })),
      /** How many were refused, by code. */
      refused: reasonCounts,
    })
    .optional(),
  /** Absent in lines of versions that chained none. */
  chain: auditChain.optional(),
});
export type AuditEntry = z.infer<typeof auditEntry>;

/**
 * `GET /api/namespaces/{namespace}/audit?after=&limit=&workflowId=`: entries of one namespace, the newest first, from
 * the file of the replica that answers.
 */
export const auditPage = z.object({
  entries: z.array(auditEntry),
  /** The last line that the process has written: note it elsewhere, and a verifier finds out whether the end is missing. */
  head: z.object({ seq: z.number().int().nonnegative(), hash: z.string() }).optional(),
  /** `after` for the older ones; a position in the file and nothing more. Absent: there are none. */
  next: z.string().optional(),
  /** Lines on the way that are no audit entries: torn by a crash, or written by others. */
  skipped: z.number().int().nonnegative(),
});
export type AuditPage = z.infer<typeof auditPage>;
