import { AsyncLocalStorage } from 'node:async_hooks';
import type { CryptoHealth } from '@temporal-kms/codec-api';
import { combineObservers, type Observer, type ReasonCode } from '@temporal-kms/kms-codec';
import { outageObserver, writeToLog } from '@temporal-kms/kms-codec/worker-logging';
import type { Logger } from 'pino';

/** Cloud KMS calls in flight for one namespace: one caller's request must not use up its quota. */
export const CALLS_IN_FLIGHT = 16;

/** Cloud KMS calls that a request with several payloads may cause, one for each wrapped key that is not cached. */
export const MAX_KMS_CALLS = 64;

/** The Cloud KMS requests that a caller may still cause. */
export interface KmsBucket {
  /** Takes `requests`. Returns 0 if they were taken, else the milliseconds until they can be. */
  take(requests: number): number;
  /** Requests that can be taken now; negative where more were made than taken. */
  available(): number;
  /** Milliseconds until one request can be taken. */
  waitMs(): number;
  /** Takes requests that were made already. */
  charge(requests: number): void;
}

/**
 * One request's share of its caller's bucket. The request takes what it may need before it decrypts, and is charged for
 * what it caused beyond that.
 */
export class KmsAllowance {
  readonly #bucket: KmsBucket;
  #taken = 0;
  #made = 0;

  constructor(bucket: KmsBucket) {
    this.#bucket = bucket;
  }

  available(): number {
    return this.#bucket.available();
  }

  waitMs(): number {
    return this.#bucket.waitMs();
  }

  /** Takes `requests`. Returns 0 if they were taken, else the milliseconds until they can be. */
  take(requests: number): number {
    const wait = this.#bucket.take(requests);
    if (wait === 0) this.#taken += requests;
    return wait;
  }

  /** @internal */
  made(requests: number): void {
    this.#made += requests;
    const more = this.#made - this.#taken;
    if (more <= 0) return;
    this.#taken += more;
    this.#bucket.charge(more);
  }
}

const current = new AsyncLocalStorage<KmsAllowance>();

/** Does work whose Cloud KMS requests, retries included, are charged to an allowance. */
export function chargedTo<T>(allowance: KmsAllowance | undefined, work: () => T): T {
  return allowance === undefined ? work() : current.run(allowance, work);
}

/**
 * Observes the codec, and charges its Cloud KMS requests to the allowance that `chargedTo` set. A call that several
 * requests wait for is charged to the request that started it.
 */
export const kmsCharges: Pick<Required<Observer>, 'kmsCall'> = {
  kmsCall: ({ requests }) => current.getStore()?.made(requests),
};

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

export interface KmsHealthOptions {
  readonly now?: () => Date;
  /** Absent: outages are not logged. */
  readonly log?: Logger;
}

/** Returns an observer of the codec that keeps the last result of its Cloud KMS calls and logs outages. */
export function watchKms({ now = () => new Date(), log }: KmsHealthOptions = {}): KmsHealth {
  let lastOk: Date | undefined;
  let reason: ReasonCode | undefined;
  const observer: Observer = {
    kmsCall: ({ operation, code }) => {
      // A service account that may not describe keys may still decrypt with them.
      if (operation === 'describe') return;
      reason = code !== undefined && outages.has(code) ? code : undefined;
      if (reason === undefined) lastOk = now();
    },
  };
  return {
    observer: log === undefined ? observer : combineObservers(observer, outagesOnly(log)),
    last: () => ({
      ...statusOf(lastOk, reason),
      ...(lastOk === undefined ? {} : { lastOk: lastOk.toISOString() }),
    }),
  };
}

/** Logs outages of Cloud KMS and of the store. Callers could cause the other events, and have a line for each request. */
function outagesOnly(log: Logger): Observer {
  const all = outageObserver(writeToLog(log));
  return {
    kmsCall: (call) => all.kmsCall?.(call),
    branchKeyStoreFailed: (event) => all.branchKeyStoreFailed?.(event),
    branchKeyStoreRecovered: (event) => all.branchKeyStoreRecovered?.(event),
  };
}

function statusOf(
  lastOk: Date | undefined,
  reason: ReasonCode | undefined,
): Pick<CryptoHealth['kms'], 'status' | 'reason'> {
  if (reason !== undefined) return { status: 'failing', reason };
  return { status: lastOk === undefined ? 'unknown' : 'ok' };
}
