import { z } from 'zod/mini';
import { reasonCode } from './reasons.ts';
import { timestamp } from './workflow.ts';

/**
 * `GET /api/health`: whether payloads can be decrypted now. It reports what the server saw last; a request for it makes
 * no Cloud KMS request.
 */
export const cryptoHealth = z.object({
  kms: z.object({
    /**
     * `failing`: Cloud KMS does not answer, or no key version could be used of late. `degraded`: some could not be
     * used. `unknown`: the process has called Cloud KMS for no payload yet.
     */
    status: z.enum(['ok', 'degraded', 'failing', 'unknown']),
    /** The reason code of the last call that failed, while calls fail. */
    reason: z.optional(reasonCode),
    lastOk: z.optional(timestamp),
    /** Keys and versions whose last call was refused, within the last hour. Absent: none. */
    refused: z.optional(
      z.array(
        z.object({
          operation: z.enum(['encrypt', 'decrypt']),
          key: z.string(),
          version: z.optional(z.number()),
          reason: reasonCode,
          since: timestamp,
        }),
      ),
    ),
    /** Whether keys come from an emulator (`KMS_EMULATOR_HOST`), which Google does not protect. */
    emulator: z.boolean(),
  }),
  temporal: z.object({ status: z.enum(['ok', 'unavailable']) }),
  /** The store where processes share branch keys (`KMS_BRANCH_KEYS`); absent: this process uses none. */
  branchKeyStore: z.optional(
    z.object({
      /**
       * `unknown`: the process has not used it yet. A failing store delays nothing: the process creates its own keys.
       */
      status: z.enum(['ok', 'failing', 'unknown']),
      /** What fails. */
      failures: z.array(
        z.object({
          operation: z.enum(['load', 'replace', 'adopt']),
          /** `unavailable`, `not_permitted`, `untrusted` and others: docs/runbook.md. */
          code: z.string(),
          since: timestamp,
        }),
      ),
    }),
  ),
});
export type CryptoHealth = z.infer<typeof cryptoHealth>;
