import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { KmsCodecError } from '../errors.ts';
import type { Observer } from '../observer.ts';
import type { CallLanes } from './call-lanes.ts';
import { importDataKey } from './data-key.ts';
import type { KeyService } from './key-service.ts';
import type { DataKeyLimits } from './limits.ts';
import type { WaitBudget } from './wait-budget.ts';
import { SingleFlight } from './single-flight.ts';

/** A wrapped data key and what it takes to unwrap it. The allow-list has been asked before one is made. */
export interface WrappedKey {
  /** Tells this wrapped key from every other, for hits and remembered refusals alike. */
  readonly id: string;
  readonly cryptoKey: string;
  readonly aad: Uint8Array;
  readonly wrapped: Uint8Array;
  readonly keyVersion?: number | undefined;
}

/** Refusals are remembered this long, so that a history under a disabled key doesn't make a call per payload. */
const REFUSAL_TTL_MS = 5_000;
const REFUSALS_MAX = 4_096;

/**
 * Data keys that Cloud KMS has unwrapped, by crypto key, additional authenticated data and wrapped bytes. Bounded in
 * number and age; what isn't there is asked for once, however many wait for it.
 */
export class OpenedKeys {
  readonly #keyService: KeyService;
  readonly #lanes: CallLanes;
  readonly #observer: Observer;
  readonly #opened: LRUCache<string, KeyObject>;
  readonly #refused: LRUCache<string, KmsCodecError>;
  readonly #flights: SingleFlight<KeyObject>;

  constructor(
    keyService: KeyService,
    lanes: CallLanes,
    limits: DataKeyLimits,
    observer: Observer,
    now: () => number,
  ) {
    this.#keyService = keyService;
    this.#lanes = lanes;
    this.#observer = observer;
    this.#flights = new SingleFlight(observer);
    const perf = { now };
    this.#opened = new LRUCache({ max: limits.openedMax, ttl: limits.openedTtlMs, perf, ttlResolution: 0 });
    this.#refused = new LRUCache({ max: REFUSALS_MAX, ttl: REFUSAL_TTL_MS, perf, ttlResolution: 0 });
  }

  /** The data key if it is at hand, without waiting. @throws a remembered refusal */
  peek(namespace: string, { id }: WrappedKey): KeyObject | undefined {
    const key = this.#opened.get(id);
    if (key) {
      this.#observer.dataKeyLookup?.({ namespace, outcome: 'hit' });
      return key;
    }
    const refusal = this.#refused.get(id);
    if (refusal) throw refusal;
    return undefined;
  }

  isOpened({ id }: WrappedKey): boolean {
    return this.#opened.has(id);
  }

  /** Whether a refusal of it is remembered. */
  isRefused({ id }: WrappedKey): boolean {
    return this.#refused.has(id);
  }

  async unwrap(namespace: string, wanted: WrappedKey, waitBudget: WaitBudget): Promise<KeyObject> {
    const { id } = wanted;
    this.#observer.dataKeyLookup?.({ namespace, outcome: this.#flights.has(id) ? 'joined' : 'miss' });
    return await this.#flights.join(id, wanted.cryptoKey, waitBudget, async (unwanted) => {
      try {
        const { cryptoKey, aad, wrapped, keyVersion } = wanted;
        const bytes = await this.#lanes.run(namespace, unwanted, () =>
          this.#keyService.unwrap({ key: cryptoKey, aad, ciphertext: wrapped, keyVersion }),
        );
        const key = importDataKey(bytes);
        this.#opened.set(id, key);
        return key;
      } catch (error) {
        if (error instanceof KmsCodecError && !error.retryable) this.#refused.set(id, error);
        throw error;
      }
    });
  }

  /** A sealing key opens its own messages until its soft age without asking Cloud KMS. */
  adopt(wanted: WrappedKey, key: KeyObject, ttlMs: number): void {
    this.#opened.set(wanted.id, key, { ttl: ttlMs });
  }

  /** Lets go of what is past its time: a look-up alone would only skip it. */
  purge(): void {
    this.#opened.purgeStale();
    this.#refused.purgeStale();
  }

  clear(): void {
    this.#opened.clear();
    this.#refused.clear();
  }
}

// latin1 keeps one character a byte; hashing instead costs ten times as much as the look-up.
const latin1 = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** Lengths come first in the id, so that no two triples share one. */
export function wrappedKey(key: Omit<WrappedKey, 'id'>): WrappedKey {
  const { cryptoKey, aad, wrapped } = key;
  return { ...key, id: `${cryptoKey.length}.${aad.length}.${cryptoKey}${latin1(aad)}${latin1(wrapped)}` };
}
