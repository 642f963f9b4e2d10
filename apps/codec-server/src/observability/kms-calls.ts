import { AsyncLocalStorage } from 'node:async_hooks';
import type { Observer } from '@temporal-kms/kms-codec';

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
