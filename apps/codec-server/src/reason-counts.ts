import type { ReasonCode, ReasonCounts } from '@temporal-kms/codec-api';

export function count(counts: ReasonCounts, reason: ReasonCode, by = 1): void {
  counts[reason] = (counts[reason] ?? 0) + by;
}
