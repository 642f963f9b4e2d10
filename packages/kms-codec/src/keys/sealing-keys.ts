import { createSecretKey, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { KmsCodecError } from '../errors.ts';
import type { Observer } from '../observer.ts';
import type { CallLanes } from './call-lanes.ts';
import { randomDataKey } from './data-key.ts';
import type { KeyService } from './key-service.ts';
import type { DataKeyLimits } from './limits.ts';
import { type OpenedKeys, wrappedKey } from './opened-keys.ts';
import { WaitBudget } from './wait-budget.ts';
import { SingleFlight } from './single-flight.ts';

/** What a data key seals for: one crypto key and one namespace. */
export interface SealingPurpose {
  /** Tells this purpose from every other. */
  readonly id: string;
  readonly namespace: string;
  readonly cryptoKey: string;
  /** Additional authenticated data for Cloud KMS; empty in the guide's format. */
  readonly aad: Uint8Array;
}

/** A data key in use. */
export interface SealingKey {
  readonly purpose: SealingPurpose;
  readonly key: KeyObject;
  readonly wrapped: Uint8Array;
  readonly keyVersion: number;
  readonly born: number;
  messages: number;
  bytes: number;
}

interface Slot {
  readonly purpose: SealingPurpose;
  current: SealingKey | undefined;
  refreshing: boolean;
  /** No refresh before this time: the last one failed. */
  nextTry: number;
  /** When a refusal (not an outage) ends the current key. */
  retireAt: number;
  /** The last refusal, remembered for seconds. */
  refusal: { readonly error: KmsCodecError; readonly until: number } | undefined;
}

/** From this share of a soft limit on the next key is fetched. */
const REFRESH_AT = 0.75;
const RETRY_REFRESH_MS = 10_000;
const REFUSAL_TTL_MS = 5_000;
const GRACE_AFTER_REFUSAL_MS = 300_000;
/** How long a refresh in the background keeps trying; nobody waits for it. */
const REFRESH_BUDGET_MS = 60_000;

/**
 * The data keys that seal, one a purpose. Once the first is there, sealing doesn't wait for Cloud KMS: the next key is
 * fetched in the background, an outage extends the current one up to its hard limits, a refusal retires it.
 */
export class SealingKeys {
  readonly #keyService: KeyService;
  readonly #lanes: CallLanes;
  readonly #opened: OpenedKeys;
  readonly #limits: DataKeyLimits;
  readonly #observer: Observer;
  readonly #now: () => number;
  readonly #slots: LRUCache<string, Slot>;
  readonly #flights: SingleFlight<SealingKey>;

  constructor(
    keyService: KeyService,
    lanes: CallLanes,
    opened: OpenedKeys,
    limits: DataKeyLimits,
    observer: Observer,
    now: () => number,
  ) {
    this.#keyService = keyService;
    this.#lanes = lanes;
    this.#opened = opened;
    this.#limits = limits;
    this.#observer = observer;
    this.#now = now;
    this.#slots = new LRUCache({ max: limits.sealingMax });
    this.#flights = new SingleFlight(observer);
  }

  /** The current key for one more message of `bytes`, which it counts; starts the refresh when that is due. */
  take(purpose: SealingPurpose, bytes: number): SealingKey | undefined {
    const slot = this.#slot(purpose);
    const { current } = slot;
    if (!current) return undefined;
    if (this.#share(current) >= REFRESH_AT) this.#refresh(slot);
    if (this.#isOver(slot, current, bytes)) return undefined;
    current.messages += 1;
    current.bytes += bytes;
    return current;
  }

  /**
   * Waits for a key: the first one, or one after a hard limit or a refusal.
   * @throws the Cloud KMS error, or `data_key_exhausted` when an outage has outlasted the hard limits
   */
  async takeOrWait(purpose: SealingPurpose, bytes: number, waitBudget: WaitBudget): Promise<SealingKey> {
    const slot = this.#slot(purpose);
    for (;;) {
      const ready = this.take(purpose, bytes);
      if (ready) return ready;
      const spent = slot.current;
      if (slot.refusal && this.#now() < slot.refusal.until) throw slot.refusal.error;
      try {
        await this.#wrap(slot, waitBudget);
      } catch (cause) {
        if (!(spent && cause instanceof KmsCodecError && cause.retryable)) throw cause;
        const key = purpose.cryptoKey;
        throw new KmsCodecError(
          'data_key_exhausted',
          'The data key is past a hard limit and Cloud KMS gave no new one',
          {
            key,
            cause,
          },
        );
      }
    }
  }

  /** Gets the first key, if there is none. @throws the Cloud KMS error */
  async warm(purpose: SealingPurpose, waitBudget: WaitBudget): Promise<void> {
    const slot = this.#slot(purpose);
    if (!slot.current) await this.#wrap(slot, waitBudget);
  }

  /** Refreshes what is due. Called by a timer, so that idle processes notice a revoked key as well. */
  maintain(): void {
    for (const slot of this.#slots.values()) {
      if (slot.current && this.#share(slot.current) >= REFRESH_AT) this.#refresh(slot);
      if (slot.current && this.#isOver(slot, slot.current, 0)) slot.current = undefined;
    }
  }

  clear(): void {
    this.#slots.clear();
  }

  #slot(purpose: SealingPurpose): Slot {
    let slot = this.#slots.get(purpose.id);
    if (!slot) {
      const retireAt = Number.POSITIVE_INFINITY;
      slot = { purpose, current: undefined, refreshing: false, nextTry: 0, retireAt, refusal: undefined };
      this.#slots.set(purpose.id, slot);
    }
    return slot;
  }

  /** How much of the soft limits is used up, 1 being all. */
  #share(key: SealingKey): number {
    return Math.max(
      (this.#now() - key.born) / this.#limits.softAgeMs,
      key.messages / this.#limits.softMessages,
      key.bytes / this.#limits.softBytes,
    );
  }

  #isOver(slot: Slot, key: SealingKey, bytes: number): boolean {
    const now = this.#now();
    return (
      now >= slot.retireAt ||
      now - key.born >= this.#limits.hardAgeMs ||
      key.messages >= this.#limits.hardMessages ||
      key.bytes + bytes > this.#limits.hardBytes
    );
  }

  #refresh(slot: Slot): void {
    if (slot.refreshing || this.#now() < slot.nextTry) return;
    slot.refreshing = true;
    this.#wrap(slot, new WaitBudget(REFRESH_BUDGET_MS))
      .catch((error: unknown) => {
        slot.nextTry = this.#now() + RETRY_REFRESH_MS;
        if (!(error instanceof KmsCodecError)) return;
        const { namespace, cryptoKey } = slot.purpose;
        this.#observer.dataKeyRefreshFailed?.({ namespace, key: cryptoKey, code: error.code });
        if (error.retryable || !slot.current || slot.retireAt !== Number.POSITIVE_INFINITY) return;
        const softEnd = slot.current.born + this.#limits.softAgeMs;
        slot.retireAt = Math.max(softEnd, this.#now() + GRACE_AFTER_REFUSAL_MS);
      })
      .finally(() => {
        slot.refreshing = false;
      });
  }

  async #wrap(slot: Slot, waitBudget: WaitBudget): Promise<void> {
    const { id, namespace, cryptoKey, aad } = slot.purpose;
    await this.#flights.join(id, cryptoKey, waitBudget, async (unwanted) => {
      const plaintext = randomDataKey();
      try {
        const { ciphertext, keyVersion } = await this.#lanes.run(namespace, unwanted, () =>
          this.#keyService.wrap({ key: cryptoKey, plaintext, aad }),
        );
        const key = createSecretKey(plaintext);
        const born = this.#now();
        const next = {
          purpose: slot.purpose,
          key,
          wrapped: ciphertext,
          keyVersion,
          born,
          messages: 0,
          bytes: 0,
        };
        this.#takeOver(slot, next);
        return next;
      } catch (error) {
        if (error instanceof KmsCodecError && !error.retryable) {
          slot.refusal = { error, until: this.#now() + REFUSAL_TTL_MS };
        }
        throw error;
      } finally {
        plaintext.fill(0);
      }
    });
  }

  #takeOver(slot: Slot, next: SealingKey): void {
    const { namespace, cryptoKey, aad } = slot.purpose;
    const reason = slot.current ? this.#dueBecause(slot.current) : 'first';
    slot.current = next;
    slot.nextTry = 0;
    slot.refusal = undefined;
    slot.retireAt = Number.POSITIVE_INFINITY;
    this.#opened.adopt(
      wrappedKey({ cryptoKey, aad, wrapped: next.wrapped }),
      next.key,
      this.#limits.softAgeMs,
    );
    this.#observer.dataKeyRotated?.({ namespace, key: cryptoKey, keyVersion: next.keyVersion, reason });
  }

  #dueBecause(key: SealingKey): 'age' | 'messages' | 'bytes' {
    const share = this.#share(key);
    if (key.messages / this.#limits.softMessages === share) return 'messages';
    return key.bytes / this.#limits.softBytes === share ? 'bytes' : 'age';
  }
}
