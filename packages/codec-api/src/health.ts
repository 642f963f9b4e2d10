import { z } from 'zod';
import { reasonCode } from './reasons.ts';
import { timestamp } from './workflow.ts';

/**
 * `GET /api/health`: whether plaintext can be had right now. It tells what the server last saw; asking it makes no
 * Cloud KMS call.
 */
export const cryptoHealth = z.object({
  kms: z.object({
    status: z.enum(['ok', 'failing', 'unknown']),
    /** The last call's reason, while failing. */
    reason: reasonCode.optional(),
    lastOk: timestamp.optional(),
    /** True while `KMS_EMULATOR_HOST` is in use: nothing is protected by Google then. */
    emulator: z.boolean(),
  }),
  temporal: z.object({ status: z.enum(['ok', 'unavailable']) }),
});
export type CryptoHealth = z.infer<typeof cryptoHealth>;
