import { withResolvers } from '../maybe-promise.ts';
import type { Observer } from '../observer.ts';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';
import { type BranchKeyStore, BranchKeyStoreError, type StoredValue } from './store.ts';

type Operation = 'load' | 'replace';

/** Maximum time that a call waits for the store, in ms. */
const ANSWER_MS = 5_000;
/** Delay after a failure before the store is called again, in ms. */
const RETRY_MS = 20_000;

interface Outage {
  /** The store is not called before this time. */
  retryAt: number;
}

export interface StoreCall {
  /**
   * Whether a payload waits for the response. During an outage, a call for which a payload waits fails
   * immediately. Only background calls try the store again.
   */
  readonly isUrgent?: boolean;
  /**
   * The total time limit, in ms, for all calls that share this object. Stalls of this process do not count.
   */
  readonly time?: { leftMs: number };
}

/**
 * Calls a store with safeguards, so that a slow or failing store delays no payload. Each call has a time
 * limit. During an outage, calls fail immediately. While a call hangs, no further call is made. Reports the
 * start and the end of each outage.
 */
export class GuardedStore {
  readonly #store: BranchKeyStore;
  readonly #observer: Observer;
  readonly #now: () => number;
  /** The state of each operation, because a store may be readable but not writable. */
  readonly #outages = new Map<Operation, Outage>();
  /** Number of calls that have exceeded their time limit but are still running. */
  #hanging = 0;

  constructor(store: BranchKeyStore, observer: Observer, now: () => number) {
    this.#store = store;
    this.#observer = observer;
    this.#now = now;
  }

  /** @throws BranchKeyStoreError */
  load(id: string, call: StoreCall = {}): Promise<StoredValue | undefined> {
    return this.#run('load', call, () => this.#store.load(id));
  }

  /** @throws BranchKeyStoreError */
  replace(id: string, value: Uint8Array, expected: string, call: StoreCall = {}): Promise<boolean> {
    return this.#run('replace', call, () => this.#store.replace(id, value, expected));
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  async #run<T>(operation: Operation, call: StoreCall, run: () => Promise<T>): Promise<T> {
    const outage = this.#outages.get(operation);
    if (outage) {
      if (call.isUrgent || this.#now() < outage.retryAt || this.#hanging > 0) throw inOutage();
      outage.retryAt = this.#now() + RETRY_MS;
    }
    let answer: T;
    try {
      answer = await this.#limited(run, call.time ?? { leftMs: ANSWER_MS });
    } catch (error) {
      const failure = error instanceof BranchKeyStoreError ? error : unexpected(error);
      this.#failed(operation, failure);
      throw failure;
    }
    if (this.#outages.delete(operation)) this.#observer.branchKeyStoreRecovered?.({ operation });
    return answer;
  }

  #failed(operation: Operation, { code, message }: BranchKeyStoreError): void {
    const retryAt = this.#now() + RETRY_MS;
    if (!this.#outages.has(operation)) this.#observer.branchKeyStoreFailed?.({ operation, code, message });
    this.#outages.set(operation, { retryAt });
  }

  async #limited<T>(run: () => Promise<T>, time: { leftMs: number }): Promise<T> {
    let isLate = false;
    const { promise: late, reject } = withResolvers<never>();
    const limitMs = Math.max(1, time.leftMs);
    const timer = new WaitTimer(limitMs, () => {
      isLate = true;
      this.#hanging += 1;
      reject(
        new BranchKeyStoreError(
          'unavailable',
          `The store did not answer within ${(limitMs / 1000).toFixed(1)} s`,
        ),
      );
    });
    const ended = run().finally(() => {
      timer.stop();
      if (isLate) this.#hanging -= 1;
    });
    try {
      return await Promise.race([ended, late]);
    } finally {
      time.leftMs -= timer.waitedMs;
    }
  }
}

const inOutage = () =>
  new BranchKeyStoreError('unavailable', 'The store was not called, because its previous call failed');

const unexpected = (cause: unknown) => new BranchKeyStoreError('unavailable', 'The store failed', { cause });
