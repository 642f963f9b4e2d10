import type { CryptoHealth } from '@temporal-kms/codec-api';
import type { Observer, ReasonCode } from '@temporal-kms/kms-codec';

/** What Cloud KMS last answered; told without asking it. */
export interface KmsWatch {
  readonly observer: Observer;
  last(): Pick<CryptoHealth['kms'], 'status' | 'reason' | 'lastOk'>;
}

/** Cloud KMS didn't serve us. Every other code is an answer of a service that works, about one key or one payload. */
const outages: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'kms_unavailable',
  'kms_quota',
  'permission_denied',
  'checksum_mismatch',
]);

export function watchKms(now: () => Date = () => new Date()): KmsWatch {
  let lastOk: Date | undefined;
  let reason: ReasonCode | undefined;
  return {
    observer: {
      kmsCall: ({ operation, code }) => {
        // Whoever may not look at keys may still open payloads.
        if (operation === 'describe') return;
        reason = code !== undefined && outages.has(code) ? code : undefined;
        if (reason === undefined) lastOk = now();
      },
    },
    last: () => ({
      ...status(lastOk, reason),
      ...(lastOk === undefined ? {} : { lastOk: lastOk.toISOString() }),
    }),
  };
}

function status(
  lastOk: Date | undefined,
  reason: ReasonCode | undefined,
): Pick<CryptoHealth['kms'], 'status' | 'reason'> {
  if (reason !== undefined) return { status: 'failing', reason };
  return { status: lastOk === undefined ? 'unknown' : 'ok' };
}
