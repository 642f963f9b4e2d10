import { createSecretKey, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { deriveDataKey, generateSalt } from '../crypto/branch-key.ts';
import { generateKey } from '../crypto/data-key.ts';
import { KmsCodecError, type ReasonCode } from '../errors.ts';
import type { Observer } from '../observer.ts';
import { type DecryptionKeys, wrappedKey } from './decryption-keys.ts';
import type { KeyService } from './key-service.ts';
import type { KeyedSemaphore } from './keyed-semaphore.ts';
import type { DataKeyLimits } from './limits.ts';
import { SingleFlight } from './single-flight.ts';
import { WaitBudget } from './wait-budget.ts';

/** What a data key encrypts: the messages of one namespace in one format, under one crypto key. */
export interface DataKeyScope {
  /** Distinct for each scope. */
  readonly id: string;
  readonly namespace: string;
  readonly cryptoKey: string;
  /** Additional authenticated data under which Cloud KMS wraps a key of the scope; empty in the format `envelope`. */
  readonly aad: Uint8Array;
  /** Info with which data keys are derived from a branch key. Empty: the key that Cloud KMS wraps is the data key. */
  readonly info: Uint8Array;
}

/** A key that Cloud KMS has wrapped for a scope: a branch key if its data keys are derived, else a data key. */
interface ScopeKey {
  readonly key: KeyObject;
  readonly wrapped: Uint8Array;
  readonly keyVersion: number;
  /** When Cloud KMS wrapped it, in milliseconds. Its age counts from then on, in every process that uses it. */
  readonly created: number;
}

/** A data key that encrypts, and how much it has encrypted. */
export interface EncryptionKey {
  readonly scope: DataKeyScope;
  /** The key from which it is derived, or which it is. */
  readonly source: ScopeKey;
  /** Empty if the data key is not derived. */
  readonly salt: Uint8Array;
  readonly key: KeyObject;
  messages: number;
  bytes: number;
}

interface Slot {
  readonly scope: DataKeyScope;
  current: EncryptionKey | undefined;
  isRefreshing: boolean;
  /** After a failed refresh: no further refresh before this time. */
  nextRefresh: number;
  /** Why the last refresh failed. */
  refreshFailure: ReasonCode | undefined;
  /** When the current scope key expires because Cloud KMS rejected its refresh. An outage does not set it. */
  retireAt: number;
  /** The last error that is not retryable, cached for seconds. */
  failure: { readonly error: KmsCodecError; readonly until: number } | undefined;
}

/** The share of a soft limit at which a refresh starts. */
const REFRESH_AT = 0.75;
const RETRY_REFRESH_MS = 10_000;
const FAILURE_TTL_MS = 5_000;
const GRACE_AFTER_REJECTION_MS = 300_000;
/** How long a refresh in the background retries. No caller waits for it. */
const REFRESH_BUDGET_MS = 60_000;

/**
 * The data keys that encrypt, one for each scope. After the first, encryption does not wait for Cloud KMS: a new scope key
 * is wrapped in the background. During an outage the current scope key is used up to its hard limits; when Cloud KMS rejects
 * the crypto key, the current scope key is retired.
 *
 * A data key encrypts a limited number of messages and bytes. The next data key of a branch key takes only a new salt. A data
 * key that Cloud KMS wrapped itself (format `envelope`) can be replaced only by Cloud KMS.
 */
export class EncryptionKeys {
  readonly #keyService: KeyService;
  readonly #semaphore: KeyedSemaphore;
  readonly #decryption: DecryptionKeys;
  readonly #limits: DataKeyLimits;
  readonly #observer: Observer;
  readonly #now: () => number;
  readonly #slots: LRUCache<string, Slot>;
  readonly #flights: SingleFlight<ScopeKey>;

  constructor(
    keyService: KeyService,
    semaphore: KeyedSemaphore,
    decryption: DecryptionKeys,
    limits: DataKeyLimits,
    observer: Observer,
    now: () => number,
  ) {
    this.#keyService = keyService;
    this.#semaphore = semaphore;
    this.#decryption = decryption;
    this.#limits = limits;
    this.#observer = observer;
    this.#now = now;
    this.#slots = new LRUCache({ max: limits.maxEncryptionKeys });
    this.#flights = new SingleFlight(observer);
  }

  /**
   * Returns the current data key and counts one message of `bytes` for it. Starts a refresh when one is due.
   * @returns undefined when there is no data key, or when it is past a hard limit
   */
  take(scope: DataKeyScope, bytes: number): EncryptionKey | undefined {
    const slot = this.#slot(scope);
    const { current } = slot;
    if (!current) return undefined;
    if (this.#usedShare(current) >= REFRESH_AT) this.#refresh(slot);
    if (this.#isPastAge(slot, current)) return undefined;
    const key = this.#withRoom(slot, current, bytes);
    if (!key) return undefined;
    key.messages += 1;
    key.bytes += bytes;
    return key;
  }

  /**
   * Returns the current data key, or waits until Cloud KMS has wrapped the next.
   * @throws KmsCodecError why Cloud KMS wraps none; `data_key_exhausted` when an outage outlasts the hard limits
   */
  async takeOrWait(scope: DataKeyScope, bytes: number, waitBudget: WaitBudget): Promise<EncryptionKey> {
    const slot = this.#slot(scope);
    for (;;) {
      const ready = this.take(scope, bytes);
      if (ready) return ready;
      const exhausted = slot.current;
      if (slot.failure && this.#now() < slot.failure.until) throw slot.failure.error;
      try {
        await this.#wrap(slot, waitBudget);
      } catch (cause) {
        if (!(exhausted && cause instanceof KmsCodecError && cause.retryable)) throw cause;
        const key = scope.cryptoKey;
        throw new KmsCodecError(
          'data_key_exhausted',
          'The key that encrypts has reached a hard limit and Cloud KMS wraps no new key; encryption resumes when it does',
          {
            key,
            cause,
          },
        );
      }
    }
  }

  /** Returns how long the current scope key may encrypt, and why the last attempt to replace it failed. */
  state(scope: DataKeyScope): { readonly remainingMs: number; readonly failure: ReasonCode | undefined } {
    const slot = this.#slots.get(scope.id);
    if (!slot?.current) return { remainingMs: 0, failure: slot?.failure?.error.code };
    const until = Math.min(slot.retireAt, slot.current.source.created + this.#limits.hardAgeMs);
    return { remainingMs: Math.max(0, until - this.#now()), failure: slot.refreshFailure };
  }

  /** Wraps the first scope key, if there is none. @throws KmsCodecError why Cloud KMS wraps none */
  async warm(scope: DataKeyScope, waitBudget: WaitBudget): Promise<void> {
    const slot = this.#slot(scope);
    if (!slot.current) await this.#wrap(slot, waitBudget);
  }

  /** Refreshes the scope keys that are due. A timer calls it, so that idle processes notice a revoked key too. */
  maintain(): void {
    for (const slot of this.#slots.values()) {
      if (slot.current && this.#usedShare(slot.current) >= REFRESH_AT) this.#refresh(slot);
      if (slot.current && this.#isPastAge(slot, slot.current)) slot.current = undefined;
    }
  }

  clear(): void {
    this.#slots.clear();
  }

  #slot(scope: DataKeyScope): Slot {
    let slot = this.#slots.get(scope.id);
    if (!slot) {
      const retireAt = Number.POSITIVE_INFINITY;
      slot = {
        scope,
        current: undefined,
        isRefreshing: false,
        nextRefresh: 0,
        refreshFailure: undefined,
        retireAt,
        failure: undefined,
      };
      this.#slots.set(scope.id, slot);
    }
    return slot;
  }

  /** Returns the used share of the soft limit that is closest; 1 means that it is reached. */
  #usedShare(key: EncryptionKey): number {
    const age = (this.#now() - key.source.created) / this.#limits.softAgeMs;
    if (isDerived(key)) return age;
    return Math.max(age, key.messages / this.#limits.softMessages, key.bytes / this.#limits.softBytes);
  }

  #isPastAge(slot: Slot, { source }: EncryptionKey): boolean {
    const now = this.#now();
    return now >= slot.retireAt || now - source.created >= this.#limits.hardAgeMs;
  }

  /** Returns a data key of the current scope key that may encrypt one more message, if there is one. */
  #withRoom(slot: Slot, key: EncryptionKey, bytes: number): EncryptionKey | undefined {
    const { softMessages, softBytes, hardMessages, hardBytes } = this.#limits;
    if (!isDerived(key)) return hasRoom(key, bytes, hardMessages, hardBytes) ? key : undefined;
    if (hasRoom(key, bytes, softMessages, softBytes)) return key;
    slot.current = newDataKey(slot.scope, key.source);
    return slot.current;
  }

  #refresh(slot: Slot): void {
    if (slot.isRefreshing || this.#now() < slot.nextRefresh) return;
    slot.isRefreshing = true;
    this.#wrap(slot, new WaitBudget(REFRESH_BUDGET_MS))
      .catch((error: unknown) => {
        slot.nextRefresh = this.#now() + RETRY_REFRESH_MS;
        if (!(error instanceof KmsCodecError)) return;
        slot.refreshFailure = error.code;
        const { namespace, cryptoKey } = slot.scope;
        this.#observer.dataKeyRefreshFailed?.({ namespace, key: cryptoKey, code: error.code });
        if (error.retryable || !slot.current || slot.retireAt !== Number.POSITIVE_INFINITY) return;
        const softLimit = slot.current.source.created + this.#limits.softAgeMs;
        slot.retireAt = Math.max(softLimit, this.#now() + GRACE_AFTER_REJECTION_MS);
      })
      .finally(() => {
        slot.isRefreshing = false;
      });
  }

  async #wrap(slot: Slot, waitBudget: WaitBudget): Promise<void> {
    const { id, namespace, cryptoKey, aad } = slot.scope;
    await this.#flights.join(id, cryptoKey, waitBudget, async (signal) => {
      const plaintext = generateKey();
      try {
        const { ciphertext, keyVersion } = await this.#semaphore.run(namespace, signal, () =>
          this.#keyService.wrap({ key: cryptoKey, plaintext, aad }),
        );
        const key = createSecretKey(plaintext);
        const next = { key, wrapped: ciphertext, keyVersion, created: this.#now() };
        this.#adopt(slot, next);
        return next;
      } catch (error) {
        if (error instanceof KmsCodecError && !error.retryable) {
          slot.failure = { error, until: this.#now() + FAILURE_TTL_MS };
        }
        throw error;
      } finally {
        plaintext.fill(0);
      }
    });
  }

  /**
   * Encrypts with a scope key from now on, with a new salt. Processes may share a branch key, because each derives its own
   * data keys, but never a data key, whose messages each process counts alone.
   */
  #adopt(slot: Slot, next: ScopeKey): void {
    const { namespace, cryptoKey, aad } = slot.scope;
    const reason = slot.current ? this.#reasonToReplace(slot.current) : 'first';
    slot.current = newDataKey(slot.scope, next);
    slot.nextRefresh = 0;
    slot.refreshFailure = undefined;
    slot.failure = undefined;
    slot.retireAt = Number.POSITIVE_INFINITY;
    const { wrapped, keyVersion } = next;
    this.#decryption.add(namespace, wrappedKey({ cryptoKey, aad, wrapped, keyVersion }), next.key);
    this.#observer.dataKeyRotated?.({ namespace, key: cryptoKey, keyVersion, reason });
  }

  #reasonToReplace(key: EncryptionKey): 'age' | 'messages' | 'bytes' {
    if (isDerived(key)) return 'age';
    const share = this.#usedShare(key);
    if (key.messages / this.#limits.softMessages === share) return 'messages';
    return key.bytes / this.#limits.softBytes === share ? 'bytes' : 'age';
  }
}

const isDerived = ({ scope }: EncryptionKey): boolean => scope.info.length > 0;

/** Whether a data key may encrypt one more message. Its first message may be larger than the limit. */
const hasRoom = (key: EncryptionKey, bytes: number, maxMessages: number, maxBytes: number): boolean =>
  key.messages === 0 || (key.messages < maxMessages && key.bytes + bytes <= maxBytes);

const noSalt = new Uint8Array();

/** Returns a data key that has encrypted nothing: of a branch key the one with a new salt, else the scope key itself. */
function newDataKey(scope: DataKeyScope, source: ScopeKey): EncryptionKey {
  const unused = { scope, source, messages: 0, bytes: 0 };
  if (scope.info.length === 0) return { ...unused, salt: noSalt, key: source.key };
  const salt = generateSalt();
  return { ...unused, salt, key: deriveDataKey(source.key, salt, scope.info) };
}
