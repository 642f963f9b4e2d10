import { AsyncLocalStorage } from 'node:async_hooks';
import type { Observer } from '@temporal-kms/kms-codec';

/**
 * Maximum number of Cloud KMS calls in flight for one namespace, so that one caller's request cannot use up
 * the quota.
 */
export const CALLS_IN_FLIGHT = 16;

/**
 * Maximum number of Cloud KMS calls for a request with several payloads. Each wrapped key that is not cached
 * takes one call.
 */
export const MAX_KMS_CALLS = 64;

/** A caller's allowance of Cloud KMS requests. */
export interface KmsBucket {
  /** Takes `requests`. Returns 0 on success, otherwise the milliseconds until the requests can be taken. */
  take(requests: number): number;
  /** Number of requests that can be taken now; negative if more requests were made than `take` permitted. */
  available(): number;
  /** Milliseconds until one request can be taken. */
  waitMs(): number;
  /** Deducts requests that have already been made. */
  charge(requests: number): void;
}

/**
 * The part of a caller's bucket that one request takes. Before decrypting, the request takes the most Cloud
 * KMS requests it could need from the bucket. Afterwards, the request is charged for any Cloud KMS requests
 * beyond that number.
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

  /** Takes `requests`. Returns 0 on success, otherwise the milliseconds until the requests can be taken. */
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

/** Runs work, and charges its Cloud KMS requests, including retries, to an allowance. */
export function chargedTo<T>(allowance: KmsAllowance | undefined, work: () => T): T {
  return allowance === undefined ? work() : current.run(allowance, work);
}

/**
 * Charges the codec's Cloud KMS requests to the allowance that `chargedTo` set. If several requests wait for
 * one call, charges the request that started the call.
 */
export const kmsCharges: Pick<Required<Observer>, 'kmsCall'> = {
  kmsCall: ({ requests }) => current.getStore()?.made(requests),
};
