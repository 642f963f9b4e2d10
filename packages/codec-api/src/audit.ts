import { z } from 'zod/mini';
import { auditOperation, auditResult } from './audit-terms.ts';
import { workflowId } from './parameters.ts';
import { keyUse } from './payload.ts';
import { reasonCounts } from './reasons.ts';
import { timestamp } from './workflow.ts';

/**
 * A line's position in the hash chain of its file. docs/audit.md describes how to verify the chain.
 */
export const auditChain = z.object({
  /** A random id of the process that wrote the line. */
  instance: z.string(),
  seq: z.int().check(z.positive()),
  /** SHA-256 of the previous line. */
  prev: z.string(),
});

/**
 * An audit entry, which records who did what, when, from which address, to which payloads, with which keys, and with
 * which outcome. An entry never contains a payload, a token or a search term. Each permitted operation has an
 * `intent`, which is written before anything is decrypted, and an `outcome` with the same `id`. A refused
 * operation has a single `denied` entry.
 */
export const auditEntry = z.object({
  time: timestamp,
  id: z.uuid(),
  /**
   * `digests` entries contain the digests that did not fit into the line of the `intent`. An `object` entry
   * names an object in external storage, and the server writes this entry before it reads the object.
   */
  event: z.enum(['intent', 'digests', 'object', 'outcome', 'denied']),
  operation: auditOperation,
  who: z.object({ name: z.string(), issuer: z.optional(z.string()), subject: z.optional(z.string()) }),
  /** The client's address. */
  from: z.optional(z.string()),
  namespace: z.optional(z.string()),
  requestNamespace: z
    .optional(z.string())
    .check(
      z.describe(
        "The request's namespace, if the entry is about a message from another one, which is in `namespace`. " +
          "`workflowId`, `runId` and `refs` then belong to the request's namespace.",
      ),
    ),
  workflowId: z.optional(z.string()),
  runId: z.optional(z.string()),
  /**
   * `file` means that the caller sent the payloads in a history file. The workflow id is from that file, and
   * the server cannot verify it.
   */
  source: z.optional(z.literal('file')),
  refs: z.optional(z.array(z.string())),
  /** The schedule whose payloads the caller named. */
  scheduleId: z.optional(z.string()),
  /** The type of the query that a worker ran. */
  query: z.optional(z.string()),
  /**
   * A digest of each ciphertext that the caller sent: the first 16 bytes of the HMAC-SHA-256 of the payload's
   * `data`, in base64url. This field is absent if the server has no digest key.
   */
  digests: z.optional(z.array(z.string())),
  /**
   * `driver` is the `driverName` in the storage file. `driver` and `bucket` together identify a store of the
   * namespace.
   */
  object: z.optional(
    z.object({ type: z.string(), driver: z.optional(z.string()), bucket: z.string(), object: z.string() }),
  ),
  /**
   * The entry's number in its operation. `digests` entries are numbered from 2, because the `intent` is part 1;
   * `object` entries are numbered from 1.
   */
  part: z.optional(z.int().check(z.positive())),
  /** Why the caller wanted the plaintext, in the caller's words. */
  justification: z.optional(z.string()),
  /** Why the operation was denied: the policy forbids it, or the justification is missing. */
  denied: z.optional(z.enum(['forbidden', 'justification_required'])),
  /**
   * The number of denials with the same caller, operation, namespace and cause that followed the first
   * denial, counted from `since`. The first denial has a separate entry. If `namespace` is absent, the
   * denials are for several namespaces. If the caller is `others` and has no issuer, the denials are for many
   * callers.
   */
  count: z.optional(z.int().check(z.positive())),
  since: z.optional(timestamp),
  outcome: z.optional(
    z.object({
      result: auditResult,
      /** Number of payloads that were decrypted or encrypted. */
      payloads: z.int().check(z.nonnegative()),
      /**
       * The keys, each with the number of payloads that were decrypted or encrypted under the key. The number
       * is 0 if every payload that names the key failed.
       */
      keys: z.array(z.extend(keyUse, { payloads: z.int().check(z.nonnegative()) })),
      /** Number of payloads that failed, by reason code. */
      refused: reasonCounts,
    }),
  ),
  /**
   * The line's position in the hash chain. Early versions wrote lines without a hash chain.
   */
  chain: z.optional(auditChain),
});
export type AuditEntry = z.infer<typeof auditEntry>;

/**
 * `GET /api/namespaces/{namespace}/audit?after=&limit=&workflowId=`: returns a page of one namespace's
 * entries, newest first, from the audit file of the replica that responds.
 */
export const auditPage = z.object({
  entries: z.array(auditEntry),
  /**
   * The last line that the process has written. Record this line elsewhere, so that a verifier can detect a
   * truncated file.
   */
  head: z.optional(z.object({ seq: z.int().check(z.nonnegative()), hash: z.string() })),
  /** The `after` parameter for the next page, which is a position in the file. The last page has no `next`. */
  next: z.optional(z.string()),
  /**
   * Number of lines that are not audit entries, because a crash cut them short or another program wrote them.
   */
  skipped: z.int().check(z.nonnegative()),
});
export type AuditPage = z.infer<typeof auditPage>;

/** A substring to search for, ignoring case. */
const part = z
  .string()
  .check(z.maxLength(500, 'is longer than 500 characters'), z.trim(), z.minLength(1, 'is empty'));

const WHOLE = 'must be a whole number from 1 to 1,000';

const moment = z.iso.datetime({ offset: true, error: 'must be a time such as 2026-11-24T13:00:00Z' });

/**
 * `POST /api/namespaces/{namespace}/audit:search`: returns the namespace's entries that meet all conditions.
 * The conditions are in the request body, so that URLs and logs don't contain them.
 */
export const auditSearchRequest = z.strictObject({
  /** `next` of the previous page. */
  after: z.optional(
    z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}$/, 'is not a value that this server returned')),
  ),
  limit: z._default(z.int(WHOLE).check(z.minimum(1, WHOLE), z.maximum(1_000, WHOLE)), 100),
  /**
   * Start of the time range, inclusive. The search goes backwards and ends here, because the file is in
   * chronological order.
   */
  from: z.optional(moment),
  /** End of the time range, exclusive. */
  to: z.optional(moment),
  /** Text to find in the caller's name or subject. */
  who: z.optional(part),
  operations: z.optional(
    z.array(auditOperation).check(z.minLength(1), z.maxLength(auditOperation.options.length)),
  ),
  /** Returns only the outcomes of operations that ended in one of these ways. */
  results: z.optional(z.array(auditResult).check(z.minLength(1), z.maxLength(auditResult.options.length))),
  workflowId: z.optional(workflowId),
  /** Text to find in the justification. */
  justification: z.optional(part),
  /** Returns only entries of refused requests. */
  denied: z.optional(z.literal(true)),
});
export type AuditSearchRequest = z.infer<typeof auditSearchRequest>;

/**
 * `GET /api/namespaces/{namespace}/audit:verify`: returns whether the audit file of the responding replica is
 * one unbroken hash chain. The file has the entries of all namespaces.
 */
export const auditVerification = z.object({
  /** When the check was completed. */
  time: timestamp,
  /**
   * `intact` means that every line links to the previous line, and that the file contains the last line that
   * the process wrote. `broken` means that there are `problems`. `too_large` means that the server doesn't
   * check a file of this size; use `verify-audit`.
   */
  status: z.enum(['intact', 'broken', 'too_large']),
  lines: z.int().check(z.nonnegative()),
  bytes: z.int().check(z.nonnegative()),
  /** The last line that the process had written when the check began. Record this line elsewhere. */
  head: z.optional(z.object({ seq: z.int().check(z.nonnegative()), hash: z.string() })),
  /**
   * The line that the file's first line follows. That line is usually in a rotated file, which the server does not
   * read.
   */
  follows: z.optional(z.object({ seq: z.int().check(z.positive()), hash: z.string() })),
  /** The first problems; `line` is absent for a problem of the whole file. */
  problems: z.array(z.object({ line: z.optional(z.int().check(z.positive())), problem: z.string() })),
  problemCount: z.int().check(z.nonnegative()),
});
export type AuditVerification = z.infer<typeof auditVerification>;
