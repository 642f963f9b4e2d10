import { type ReasonCode, reasonCodes } from '@temporal-kms/kms-codec/reason-codes';
import { z } from 'zod/mini';

export { isCryptoKeyName } from '@temporal-kms/kms-codec/crypto-key-name';
export { reasonClass, reasons } from '@temporal-kms/kms-codec/reason-codes';
export type { ReasonClass, ReasonCode } from '@temporal-kms/kms-codec/reason-codes';

/**
 * Why a payload cannot be decrypted. `external_reference`, `system_envelope` and `not_encrypted` are
 * warnings: the payload is returned as stored.
 */
export const reasonCode = z.enum(reasonCodes);

/** The number of payloads for each reason; reasons without payloads are absent. */
export const reasonCounts = z.partialRecord(reasonCode, z.int().check(z.positive()));
export type ReasonCounts = z.infer<typeof reasonCounts>;

/** Returns each reason code with its count. */
export const reasonEntries = (counts: ReasonCounts): [ReasonCode, number][] =>
  Object.entries(counts).filter((entry): entry is [ReasonCode, number] => entry[1] !== undefined);

/** Increments the count of a reason code. */
export function countReason(counts: ReasonCounts, reason: ReasonCode, by = 1): void {
  counts[reason] = (counts[reason] ?? 0) + by;
}

/** Adds the counts of one tally to another tally. */
export function countReasons(counts: ReasonCounts, added: ReasonCounts): void {
  for (const [reason, count] of reasonEntries(added)) countReason(counts, reason, count);
}
