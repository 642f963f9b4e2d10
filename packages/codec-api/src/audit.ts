import { z } from 'zod/mini';
import { permission } from './identity.ts';
import { workflowId } from './parameters.ts';
import { keyUse } from './payload.ts';
import { reasonCounts } from './reasons.ts';
import { timestamp } from './workflow.ts';

/** What an audit entry records: the use of a permission, or `self_test`: the test of a namespace's keys. */
export const auditOperation = z.enum([...permission.options, 'self_test']);
export type AuditOperation = z.infer<typeof auditOperation>;

/**
 * How an operation ended. `cut_off`: the client disconnected or the server shut down before everything was sent.
 * `signed_out`, `limit` and `shutdown`: the stream ended early for this reason.
 */
export const auditResult = z.enum(['complete', 'failed', 'cut_off', 'signed_out', 'limit', 'shutdown']);
export type AuditResult = z.infer<typeof auditResult>;

/** The place of a line in its file's hash chain. docs/audit.md describes how to verify it. */
export const auditChain = z.object({
  /** A random id of the process that wrote the line. */
  instance: z.string(),
  seq: z.int().check(z.positive()),
  /** SHA-256 of the previous line. */
  prev: z.string(),
});

/**
 * A line of the audit: the caller, the operation, its time and address, the payloads, their keys, and the outcome. It
 * never contains a payload, a token or a search term. Each operation has an `intent` before anything is decrypted and
 * an `outcome` with the same `id`, or one `denied`.
 */
export const auditEntry = z.object({
  time: timestamp,
  id: z.uuid(),
  /** `digests`: further digests of an intent, which one line does not hold. */
  event: z.enum(['intent', 'digests', 'outcome', 'denied']),
  operation: auditOperation,
  who: z.object({ name: z.string(), issuer: z.optional(z.string()), subject: z.optional(z.string()) }),
  /** The client's address. */
  from: z.optional(z.string()),
  namespace: z.optional(z.string()),
  requestNamespace: z
    .optional(z.string())
    .check(
      z.describe(
        'The namespace of the request, where `namespace` is that of a message in the request. Then `workflowId`, `runId` ' +
          'and `refs` belong to this namespace.',
      ),
    ),
  workflowId: z.optional(z.string()),
  runId: z.optional(z.string()),
  /**
   * `file`: the caller sent the payloads. The workflow is that of the caller's file, which the server cannot verify.
   */
  source: z.optional(z.literal('file')),
  refs: z.optional(z.array(z.string())),
  /**
   * A digest of each ciphertext that the caller sent, where the server has a digest key: the first 16 bytes of
   * HMAC-SHA-256 of the payload's `data`, in base64url.
   */
  digests: z.optional(z.array(z.string())),
  /** In `digests` entries: 2 for the first, which follows the intent. */
  part: z.optional(z.int().check(z.positive())),
  /** Why the caller wanted the plaintext, in the caller's words. */
  justification: z.optional(z.string()),
  /** Why it was denied: the policy forbids it, or the justification is missing. */
  denied: z.optional(z.enum(['forbidden', 'justification_required'])),
  /**
   * How many denials followed the first, which has a separate line: of the same caller, operation, namespace and cause,
   * since `since`. Without a namespace: in several. By `others` without an issuer: by callers too numerous to list.
   */
  count: z.optional(z.int().check(z.positive())),
  since: z.optional(timestamp),
  outcome: z.optional(
    z.object({
      result: auditResult,
      /** Payloads decrypted or encrypted. */
      payloads: z.int().check(z.nonnegative()),
      /**
       * Keys, each with its payloads that were decrypted or encrypted; 0 where all payloads that name the key failed.
       */
      keys: z.array(z.extend(keyUse, { payloads: z.int().check(z.nonnegative()) })),
      /** Payloads that failed, by reason code. */
      refused: reasonCounts,
    }),
  ),
  /** Absent in lines of versions without a chain. */
  chain: z.optional(auditChain),
});
export type AuditEntry = z.infer<typeof auditEntry>;

/**
 * `GET /api/namespaces/{namespace}/audit?after=&limit=&workflowId=`: a page of entries of one namespace, newest first,
 * from the file of the replica that answers.
 */
export const auditPage = z.object({
  entries: z.array(auditEntry),
  /**
   * The last line of the process. Record it elsewhere: with it, a verifier detects that the end of the file is
   * missing.
   */
  head: z.optional(z.object({ seq: z.int().check(z.nonnegative()), hash: z.string() })),
  /** `after` of the next page: a position in the file. Absent on the last page. */
  next: z.optional(z.string()),
  /** Lines that are not audit entries: torn by a crash, or written by other programs. */
  skipped: z.int().check(z.nonnegative()),
});
export type AuditPage = z.infer<typeof auditPage>;

/** Part of a text, compared without regard to case. */
const part = z
  .string()
  .check(z.maxLength(500, 'is longer than 500 characters'), z.trim(), z.minLength(1, 'is empty'));

const WHOLE = 'must be a whole number from 1 to 1,000';

const moment = z.iso.datetime({ offset: true, error: 'must be a time such as 2026-11-24T13:00:00Z' });

/**
 * `POST /api/namespaces/{namespace}/audit:search`: which entries of the namespace to return. An entry must fulfil every
 * condition. The conditions are in the body, so that no URL and no log contains them.
 */
export const auditSearchRequest = z.strictObject({
  /** `next` of the previous page. */
  after: z.optional(
    z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}$/, 'is not a value that this server returned')),
  ),
  limit: z._default(z.int(WHOLE).check(z.minimum(1, WHOLE), z.maximum(1_000, WHOLE)), 100),
  /** The first moment. Lines of the file are in the order of their times, so the search ends there. */
  from: z.optional(moment),
  /** The moment after the last. */
  to: z.optional(moment),
  /** Part of the caller's name or subject. */
  who: z.optional(part),
  operations: z.optional(
    z.array(auditOperation).check(z.minLength(1), z.maxLength(auditOperation.options.length)),
  ),
  /** Only outcomes, of operations that ended in one of these ways. */
  results: z.optional(z.array(auditResult).check(z.minLength(1), z.maxLength(auditResult.options.length))),
  workflowId: z.optional(workflowId),
  /** Part of the justification. */
  justification: z.optional(part),
  /** Only entries of requests that were refused. */
  denied: z.optional(z.literal(true)),
});
export type AuditSearchRequest = z.infer<typeof auditSearchRequest>;

/**
 * `GET /api/namespaces/{namespace}/audit:verify`: whether the lines of the audit file of the replica that answers form
 * one hash chain. The file contains the entries of all namespaces.
 */
export const auditVerification = z.object({
  /** When the check ended. */
  time: timestamp,
  /**
   * `intact`: every line follows the one before it, and the last line that the process wrote is in the file. `broken`:
   * `problems` lists why. `too_large`: the server does not check a file of this size; `verify-audit` does.
   */
  status: z.enum(['intact', 'broken', 'too_large']),
  lines: z.int().check(z.nonnegative()),
  bytes: z.int().check(z.nonnegative()),
  /** The last line that the process had written when the check began. Record it elsewhere. */
  head: z.optional(z.object({ seq: z.int().check(z.nonnegative()), hash: z.string() })),
  /**
   * The line, usually of a rotated file, that the first line of the file follows. The server does not read that file.
   */
  follows: z.optional(z.object({ seq: z.int().check(z.positive()), hash: z.string() })),
  /** The first problems; `line` is absent for a problem of the whole file. */
  problems: z.array(z.object({ line: z.optional(z.int().check(z.positive())), problem: z.string() })),
  problemCount: z.int().check(z.nonnegative()),
});
export type AuditVerification = z.infer<typeof auditVerification>;
