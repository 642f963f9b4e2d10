import { createSecretKey, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { BranchKeyStoreError } from '../branch-keys/store.ts';
import { generateKey } from '../crypto/data-key.ts';
import { sameBytes } from '../crypto/tags.ts';
import { KmsCodecError, type ReasonCode } from '../errors.ts';
import type { Observer } from '../observer.ts';
import type { DecryptionKeys } from './decryption-keys.ts';
import type { KeyService } from './key-service.ts';
import type { KeyedSemaphore } from './keyed-semaphore.ts';
import type { DataKeyLimits } from './limits.ts';
import {
  asWrappedKey,
  type DataKeyScope,
  type EncryptionKey,
  hasBranchKeys,
  hasRoom,
  newDataKey,
  type ScopeKey,
} from './scope-key.ts';
import { isActive, REFRESH_AT, type SharedBranchKeys, type SharedKeys } from './shared-branch-keys.ts';
import { SingleFlight } from './single-flight.ts';
import { WaitBudget } from './wait-budget.ts';

interface Slot {
  readonly scope: DataKeyScope;
  current: EncryptionKey | undefined;
  /** Whether the last key was removed because it is past a hard limit. */
  isExhausted: boolean;
  /** A branch key of the store that replaces the current one later. Every process has unwrapped it by then. */
  next: ScopeKey | undefined;
  sharing: SharedKeys['sharing'];
  /** The part of a soft limit at which a refresh starts: random, so that a fleet does not call Cloud KMS at once. */
  readonly refreshShare: number;
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

/** A refresh starts earlier than `REFRESH_AT` by a random part of this. */
const REFRESH_SPREAD = 0.05;
/** With a store: a minute of the default soft age, in which all processes unwrap the next key. */
const SHARED_REFRESH_SPREAD = 1 / 60;
const RETRY_REFRESH_MS = 10_000;
/** How often a process whose store has failed tries to share again. */
const SHARE_AGAIN_MS = 30_000;
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
  readonly #flights: SingleFlight<void>;
  readonly #shared: SharedBranchKeys | undefined;
  /** The keys that this process created. Others come from the store. */
  readonly #created = new WeakSet<KeyObject>();

  /** @param shared absent: this process shares its branch keys with no other */
  constructor(
    keyService: KeyService,
    semaphore: KeyedSemaphore,
    decryption: DecryptionKeys,
    limits: DataKeyLimits,
    observer: Observer,
    now: () => number,
    shared?: SharedBranchKeys,
  ) {
    this.#keyService = keyService;
    this.#semaphore = semaphore;
    this.#decryption = decryption;
    this.#limits = limits;
    this.#observer = observer;
    this.#now = now;
    this.#slots = new LRUCache({ max: limits.maxEncryptionKeys });
    this.#flights = new SingleFlight(observer);
    this.#shared = shared;
  }

  /**
   * Returns the current data key and counts one message of `bytes` for it. Starts a refresh when one is due.
   * @returns undefined when there is no data key, or when it is past a hard limit
   */
  take(scope: DataKeyScope, bytes: number): EncryptionKey | undefined {
    const slot = this.#slot(scope);
    const { current } = slot;
    if (!current) return undefined;
    this.#advance(slot, current);
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
      const isExhausted = slot.current !== undefined || slot.isExhausted;
      if (slot.failure && this.#now() < slot.failure.until) throw slot.failure.error;
      try {
        await this.#obtain(slot, waitBudget, true);
      } catch (cause) {
        if (!(isExhausted && cause instanceof KmsCodecError && cause.retryable)) throw cause;
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

  /**
   * Returns how long the current scope key may encrypt, its age, and why the last attempt to replace it failed. The time is 0
   * while Cloud KMS refuses to unwrap the key, because no process can read what it encrypts.
   */
  state(scope: DataKeyScope): {
    readonly remainingMs: number;
    /** Absent without a current scope key. */
    readonly ageMs?: number;
    readonly failure: ReasonCode | undefined;
  } {
    const slot = this.#slots.get(scope.id);
    if (!slot?.current) return { remainingMs: 0, failure: slot?.failure?.error.code };
    const { created } = slot.current.source;
    const now = this.#now();
    const refusal = this.#refusal(slot);
    const until = Math.min(slot.retireAt, created + this.#limits.hardAgeMs);
    return {
      remainingMs: refusal === undefined ? Math.max(0, until - now) : 0,
      // The clock of the process that created a shared branch key may be ahead.
      ageMs: Math.max(0, now - created),
      failure: refusal ?? slot.refreshFailure,
    };
  }

  /** Whether this process has a key that encrypts in the scope. */
  has(scope: DataKeyScope): boolean {
    return this.#slots.get(scope.id)?.current !== undefined;
  }

  /** Wraps the first scope key, if there is none. @throws KmsCodecError why Cloud KMS wraps none */
  async warm(scope: DataKeyScope, waitBudget: WaitBudget): Promise<void> {
    const slot = this.#slot(scope);
    if (!slot.current) await this.#obtain(slot, waitBudget, true);
  }

  /** Refreshes the scope keys that are due. A timer calls it, so that idle processes notice a revoked key too. */
  maintain(): void {
    for (const slot of this.#slots.values()) {
      if (slot.current) this.#advance(slot, slot.current);
      if (!slot.current || !this.#isPastAge(slot, slot.current)) continue;
      slot.current = undefined;
      slot.isExhausted = true;
    }
  }

  clear(): void {
    this.#slots.clear();
  }

  #slot(scope: DataKeyScope): Slot {
    let slot = this.#slots.get(scope.id);
    if (!slot) {
      const retireAt = Number.POSITIVE_INFINITY;
      const spread = this.#sharing(scope) ? SHARED_REFRESH_SPREAD : REFRESH_SPREAD;
      slot = {
        scope,
        current: undefined,
        isExhausted: false,
        next: undefined,
        sharing: 'unshared',
        refreshShare: REFRESH_AT - spread * Math.random(),
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
    if (hasBranchKeys(key.scope)) return age;
    return Math.max(age, key.messages / this.#limits.softMessages, key.bytes / this.#limits.softBytes);
  }

  #isPastAge(slot: Slot, { source }: EncryptionKey): boolean {
    const now = this.#now();
    return now >= slot.retireAt || now - source.created >= this.#limits.hardAgeMs;
  }

  /** Why Cloud KMS refuses to unwrap the current scope key, if it does. */
  #refusal({ scope, current }: Slot): ReasonCode | undefined {
    return current && this.#decryption.refusal(asWrappedKey(scope, current.source));
  }

  /** Returns a data key of the current scope key that may encrypt one more message, if there is one. */
  #withRoom(slot: Slot, key: EncryptionKey, bytes: number): EncryptionKey | undefined {
    const { softMessages, softBytes, hardMessages, hardBytes } = this.#limits;
    if (!hasBranchKeys(key.scope)) return hasRoom(key, bytes, hardMessages, hardBytes) ? key : undefined;
    if (hasRoom(key, bytes, softMessages, softBytes)) return key;
    slot.current = newDataKey(slot.scope, key.source);
    return slot.current;
  }

  #sharing(scope: DataKeyScope): SharedBranchKeys | undefined {
    return hasBranchKeys(scope) ? this.#shared : undefined;
  }

  /** Starts in the background what is due: the next key becomes current, or a next key is obtained. */
  #advance(slot: Slot, current: EncryptionKey): void {
    if (slot.isRefreshing) return;
    const now = this.#now();
    if (now < slot.nextRefresh) return;
    const { next, scope } = slot;
    const { softAgeMs } = this.#limits;
    if (next && now < next.created + softAgeMs) {
      if (isActive(next, softAgeMs, now)) this.#inBackground(slot, () => this.#activate(slot, next));
      return;
    }
    const isDue = this.#usedShare(current) >= slot.refreshShare || this.#refusal(slot) !== undefined;
    if (!isDue && !(slot.sharing === 'unshared' && this.#sharing(scope))) return;
    this.#inBackground(slot, () => this.#obtain(slot, new WaitBudget(REFRESH_BUDGET_MS), false));
  }

  #inBackground(slot: Slot, refresh: () => Promise<void>): void {
    slot.isRefreshing = true;
    refresh()
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

  /**
   * Encrypts with the next key from now on, if Cloud KMS unwraps it now. During an outage the current key stays, since another
   * process may not have unwrapped the next key before the outage began. What the cache knows about Cloud KMS may be older.
   */
  async #activate(slot: Slot, next: ScopeKey): Promise<void> {
    const { namespace } = slot.scope;
    try {
      const key = asWrappedKey(slot.scope, next);
      await this.#decryption.confirm(namespace, key, new WaitBudget(REFRESH_BUDGET_MS));
    } catch (error) {
      // The next refresh obtains another key.
      if (error instanceof KmsCodecError && !error.retryable) slot.next = undefined;
      throw error;
    }
    slot.next = undefined;
    this.#adopt(slot, next);
  }

  /** Obtains a scope key: from the store if processes share them, else a new one. @param isUrgent a payload waits */
  async #obtain(slot: Slot, waitBudget: WaitBudget, isUrgent: boolean): Promise<void> {
    const { scope } = slot;
    await this.#flights.join(scope.id, scope.cryptoKey, waitBudget, async (signal) => {
      try {
        const shared = this.#sharing(scope);
        const create = () => this.#wrap(scope, signal);
        if (shared) await this.#share(slot, shared, { create, waitBudget, isUrgent });
        else this.#adopt(slot, await create());
      } catch (error) {
        if (error instanceof KmsCodecError && !error.retryable) {
          slot.failure = { error, until: this.#now() + FAILURE_TTL_MS };
        }
        throw error;
      }
    });
  }

  async #share(
    slot: Slot,
    shared: SharedBranchKeys,
    options: Omit<Parameters<SharedBranchKeys['sync']>[2], 'refreshShare'>,
  ): Promise<void> {
    const { scope, current, sharing } = slot;
    const isUsable = current && !this.#isPastAge(slot, current) && this.#refusal(slot) === undefined;
    const own = isUsable ? { current: current.source, sharing } : undefined;
    // Without a current key, there is no time to wait for a next key.
    const refreshShare = own ? slot.refreshShare : Number.POSITIVE_INFINITY;
    let keys: SharedKeys;
    try {
      keys = await shared.sync(scope, own, { ...options, refreshShare });
    } catch (error) {
      if (!(error instanceof BranchKeyStoreError)) throw error;
      // The current key stays in use, and the store has reported its outage.
      slot.nextRefresh = this.#now() + RETRY_REFRESH_MS;
      return;
    }
    slot.sharing = keys.sharing;
    slot.next = keys.next;
    if (keys.next) this.#decryption.add(scope.namespace, asWrappedKey(scope, keys.next), keys.next.key);
    if (slot.current && sameBytes(slot.current.source.wrapped, keys.current.wrapped)) this.#refreshed(slot);
    else this.#adopt(slot, keys.current);
    if (keys.sharing === 'unshared') slot.nextRefresh = this.#now() + SHARE_AGAIN_MS;
  }

  async #wrap({ namespace, cryptoKey, aad }: DataKeyScope, signal: AbortSignal): Promise<ScopeKey> {
    const plaintext = generateKey();
    try {
      const { ciphertext, keyVersion } = await this.#semaphore.run(namespace, signal, () =>
        this.#keyService.wrap({ key: cryptoKey, plaintext, aad }),
      );
      const key = createSecretKey(plaintext);
      this.#created.add(key);
      return { key, wrapped: ciphertext, keyVersion, created: this.#now() };
    } finally {
      plaintext.fill(0);
    }
  }

  /** Records that Cloud KMS has let this process use the crypto key. */
  #refreshed(slot: Slot): void {
    slot.nextRefresh = 0;
    slot.refreshFailure = undefined;
    slot.failure = undefined;
    slot.retireAt = Number.POSITIVE_INFINITY;
  }

  /**
   * Encrypts with a scope key from now on, with a new salt. Processes may share a branch key, because each derives its own
   * data keys, but never a data key, whose messages each process counts alone.
   */
  #adopt(slot: Slot, next: ScopeKey): void {
    const { namespace, cryptoKey } = slot.scope;
    const reason = slot.current ? this.#reasonToReplace(slot.current) : 'first';
    slot.current = newDataKey(slot.scope, next);
    slot.isExhausted = false;
    this.#refreshed(slot);
    this.#decryption.add(namespace, asWrappedKey(slot.scope, next), next.key);
    const origin = this.#created.has(next.key) ? 'created' : 'store';
    this.#observer.dataKeyRotated?.({
      namespace,
      key: cryptoKey,
      keyVersion: next.keyVersion,
      reason,
      origin,
    });
  }

  #reasonToReplace(key: EncryptionKey): 'age' | 'messages' | 'bytes' {
    if (hasBranchKeys(key.scope)) return 'age';
    const share = this.#usedShare(key);
    if (key.messages / this.#limits.softMessages === share) return 'messages';
    return key.bytes / this.#limits.softBytes === share ? 'bytes' : 'age';
  }
}
