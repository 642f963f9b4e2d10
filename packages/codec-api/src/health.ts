import { z } from 'zod/mini';
import { reasonCode } from './reasons.ts';
import { timestamp } from './workflow.ts';

/**
 * `GET /api/health`: returns whether payloads can be decrypted now. The result is derived from the server's
 * latest calls; the request itself does not call Cloud KMS.
 */
export const cryptoHealth = z.object({
  kms: z.object({
    /**
     * `failing` means that Cloud KMS does not respond, or that no key version could be used recently.
     * `degraded` means that some key versions could not be used. `unknown` means that the process has not
     * called Cloud KMS for a payload yet.
     */
    status: z.enum(['ok', 'degraded', 'failing', 'unknown']),
    /**
     * Why Cloud KMS does not respond or, if it responds, the reason of the latest entry in `refused`. Absent if the
     * status is `ok` or `unknown`.
     */
    reason: z.optional(reasonCode),
    lastOk: z.optional(timestamp),
    /**
     * The keys and key versions whose most recent call in the last hour was refused by Cloud KMS. This field
     * is absent if there are no such keys.
     */
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
    /** Whether keys come from an emulator (`KMS_EMULATOR_HOST`), and so are not protected by Google. */
    emulator: z.boolean(),
  }),
  temporal: z.object({ status: z.enum(['ok', 'unavailable']) }),
  /**
   * The store in which processes share branch keys (`KMS_BRANCH_KEYS`); absent if this process has no store.
   */
  branchKeyStore: z.optional(
    z.object({
      /**
       * `unknown` means that the process has not used the store yet. If the store fails, the process creates
       * its own keys without delay.
       */
      status: z.enum(['ok', 'failing', 'unknown']),
      /** The failing operations. */
      failures: z.array(
        z.object({
          operation: z.enum(['load', 'replace', 'adopt']),
          /**
           * A reason such as `unavailable`, `not_permitted` or `untrusted`. docs/runbook.md lists all
           * reasons.
           */
          code: z.string(),
          since: timestamp,
        }),
      ),
    }),
  ),
});
export type CryptoHealth = z.infer<typeof cryptoHealth>;
