import type { CryptoHealth } from '@temporal-kms/codec-api';
import type { Observer, ReasonCode } from '@temporal-kms/kms-codec';
import type { Logger } from 'pino';
import { standings } from '../standing.ts';

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

const words = { fails: 'Cloud KMS does not serve', works: 'Cloud KMS serves again' };

export interface KmsWatchOptions {
  readonly now?: () => Date;
  /** Told when Cloud KMS refuses an operation under a key for such a reason, and when it serves it again. */
  readonly log?: Logger;
}

export function watchKms({ now = () => new Date(), log }: KmsWatchOptions = {}): KmsWatch {
  // As many as there are configured keys: no other is ever asked about.
  const standingOf = log && standings(log, words);
  let lastOk: Date | undefined;
  let reason: ReasonCode | undefined;
  return {
    observer: {
      kmsCall: ({ operation, key, code, message }) => {
        // Whoever may not look at keys may still open payloads.
        if (operation === 'describe') return;
        reason = code !== undefined && outages.has(code) ? code : undefined;
        if (reason === undefined) lastOk = now();
        const standing = standingOf?.(`${operation} ${key}`);
        if (reason === undefined) standing?.works({ operation, key });
        else standing?.fails({ operation, key, code, reason: message });
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
