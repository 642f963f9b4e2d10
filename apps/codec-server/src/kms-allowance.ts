import { AsyncLocalStorage } from 'node:async_hooks';
import type { Observer } from '@temporal-kms/kms-codec';

/** The Cloud KMS requests that one caller may still cause. */
export interface KmsBucket {
  /** @returns milliseconds until `requests` could be taken; 0: they were */
  take(requests: number): number;
  /** Requests that could be taken now; below 0 where more were made than taken. */
  available(): number;
  /** Milliseconds until one request could be taken. */
  waitMs(): number;
  /** Takes requests that were made already. */
  charge(requests: number): void;
}

/**
 * What one request of a caller takes of its bucket: what it may need, before it is worked on, and what it has caused
 * beyond that.
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

  /** @returns milliseconds until `requests` could be taken; 0: they were */
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

const causes = new AsyncLocalStorage<KmsAllowance>();

/** Does work whose Cloud KMS requests, retries among them, count for an allowance. */
export function chargedTo<T>(allowance: KmsAllowance | undefined, work: () => T): T {
  return allowance === undefined ? work() : causes.run(allowance, work);
}

/** Hears the codec whose work is charged. A call that several wait for counts for the one that began it. */
export const kmsCharges: Pick<Required<Observer>, 'kmsCall'> = {
  kmsCall: ({ requests }) => causes.getStore()?.made(requests),
};
