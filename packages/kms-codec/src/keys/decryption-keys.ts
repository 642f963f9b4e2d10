import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { importDataKey } from '../crypto/data-key.ts';
import { KmsCodecError } from '../errors.ts';
import type { Observer } from '../observer.ts';
import type { KeyService } from './key-service.ts';
import type { KeyedSemaphore } from './keyed-semaphore.ts';
import type { DataKeyLimits } from './limits.ts';
import { SingleFlight } from './single-flight.ts';
import type { WaitBudget } from './wait-budget.ts';

/** A wrapped data key and what Cloud KMS needs to unwrap it. The namespace's rule lists its crypto key. */
export interface WrappedKey {
  /** Identifies the wrapped data key in the caches. Distinct for each triple of crypto key, AAD and wrapped bytes. */
  readonly id: string;
  readonly cryptoKey: string;
  readonly aad: Uint8Array;
  readonly wrapped: Uint8Array;
  readonly keyVersion?: number | undefined;
}

/** How long a failure that is not retryable is cached: a history under a disabled key must not cost a call per payload. */
const FAILURE_TTL_MS = 5_000;
const MAX_FAILURES = 4_096;

/**
 * The cache of data keys that Cloud KMS has unwrapped, limited by number and age. Concurrent requests for the same data
 * key share one Cloud KMS call.
 */
export class DecryptionKeys {
  readonly #keyService: KeyService;
  readonly #semaphore: KeyedSemaphore;
  readonly #observer: Observer;
  readonly #keys: LRUCache<string, KeyObject>;
  readonly #failures: LRUCache<string, KmsCodecError>;
  readonly #flights: SingleFlight<KeyObject>;

  constructor(
    keyService: KeyService,
    semaphore: KeyedSemaphore,
    limits: DataKeyLimits,
    observer: Observer,
    now: () => number,
  ) {
    this.#keyService = keyService;
    this.#semaphore = semaphore;
    this.#observer = observer;
    this.#flights = new SingleFlight(observer);
    const perf = { now };
    this.#keys = new LRUCache({ max: limits.openedMax, ttl: limits.openedTtlMs, perf, ttlResolution: 0 });
    this.#failures = new LRUCache({ max: MAX_FAILURES, ttl: FAILURE_TTL_MS, perf, ttlResolution: 0 });
  }

  /**
   * Returns the data key if it is cached.
   * @throws KmsCodecError a cached failure
   */
  cached(namespace: string, { id }: WrappedKey): KeyObject | undefined {
    const key = this.#keys.get(id);
    if (key) {
      this.#observer.dataKeyLookup?.({ namespace, outcome: 'hit' });
      return key;
    }
    const failure = this.#failures.get(id);
    if (failure) throw failure;
    return undefined;
  }

  has({ id }: WrappedKey): boolean {
    return this.#keys.has(id);
  }

  /** Whether a failure is cached, so that Cloud KMS is not called. */
  hasFailed({ id }: WrappedKey): boolean {
    return this.#failures.has(id);
  }

  /** Unwraps a data key with Cloud KMS and caches it. @throws KmsCodecError why Cloud KMS does not unwrap it */
  async unwrap(namespace: string, dataKey: WrappedKey, waitBudget: WaitBudget): Promise<KeyObject> {
    const { id } = dataKey;
    this.#observer.dataKeyLookup?.({ namespace, outcome: this.#flights.has(id) ? 'joined' : 'miss' });
    return await this.#flights.join(id, dataKey.cryptoKey, waitBudget, async (signal) => {
      try {
        const { cryptoKey, aad, wrapped, keyVersion } = dataKey;
        const bytes = await this.#semaphore.run(namespace, signal, () =>
          this.#keyService.unwrap({ key: cryptoKey, aad, ciphertext: wrapped, keyVersion }),
        );
        const key = importDataKey(bytes);
        this.#keys.set(id, key);
        return key;
      } catch (error) {
        if (error instanceof KmsCodecError && !error.retryable) this.#failures.set(id, error);
        throw error;
      }
    });
  }

  /** Adds a data key of this process, so that it decrypts its own messages without a call to Cloud KMS. */
  add(dataKey: WrappedKey, key: KeyObject, ttlMs: number): void {
    this.#keys.set(dataKey.id, key, { ttl: ttlMs });
  }

  /** Removes expired entries from memory. A lookup alone would only ignore them. */
  purge(): void {
    this.#keys.purgeStale();
    this.#failures.purgeStale();
  }

  clear(): void {
    this.#keys.clear();
    this.#failures.clear();
  }
}

// Latin-1 has one character per byte. A hash would take ten times as long as the lookup.
const latin1 = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** Returns a wrapped data key with its id. The id starts with the lengths of its parts, so no two triples share one. */
export function wrappedKey(key: Omit<WrappedKey, 'id'>): WrappedKey {
  const { cryptoKey, aad, wrapped } = key;
  return { ...key, id: `${cryptoKey.length}.${aad.length}.${cryptoKey}${latin1(aad)}${latin1(wrapped)}` };
}
