import type { CryptoHealth } from '@temporal-kms/codec-api';
import type { Observer, ReasonCode } from '@temporal-kms/kms-codec';
import type { Logger } from 'pino';
import { outageLogs } from './log.ts';

/** What Cloud KMS last answered, known without a call. */
export interface KmsHealth {
  readonly observer: Observer;
  last(): Pick<CryptoHealth['kms'], 'status' | 'reason' | 'lastOk'>;
}

/** Cloud KMS did not serve the call. Every other code is an answer about one key or one payload. */
const outages: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'kms_unavailable',
  'kms_quota',
  'permission_denied',
  'checksum_mismatch',
]);

const messages = { down: 'Cloud KMS unavailable', up: 'Cloud KMS available again' };

export interface KmsHealthOptions {
  readonly now?: () => Date;
  /** Absent: outages are not logged. */
  readonly log?: Logger;
}

/** Returns an observer of the codec's Cloud KMS calls that keeps their last result and logs outages. */
export function watchKms({ now = () => new Date(), log }: KmsHealthOptions = {}): KmsHealth {
  // The codec calls Cloud KMS for configured keys only, so there are few.
  const outageOf = log && outageLogs(log, messages);
  let lastOk: Date | undefined;
  let reason: ReasonCode | undefined;
  return {
    observer: {
      kmsCall: ({ operation, key, code, message }) => {
        // A service account that may not describe keys may still decrypt with them.
        if (operation === 'describe') return;
        reason = code !== undefined && outages.has(code) ? code : undefined;
        if (reason === undefined) lastOk = now();
        const outage = outageOf?.(`${operation} ${key}`);
        if (reason === undefined) outage?.up({ operation, key });
        else outage?.down({ operation, key, code, reason: message });
      },
    },
    last: () => ({
      ...statusOf(lastOk, reason),
      ...(lastOk === undefined ? {} : { lastOk: lastOk.toISOString() }),
    }),
  };
}

function statusOf(
  lastOk: Date | undefined,
  reason: ReasonCode | undefined,
): Pick<CryptoHealth['kms'], 'status' | 'reason'> {
  if (reason !== undefined) return { status: 'failing', reason };
  return { status: lastOk === undefined ? 'unknown' : 'ok' };
}
