import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { BranchKeyStoreError } from '../branch-keys/store.ts';
import { generateKey, importKey } from '../crypto/data-key.ts';
import { sameBytes } from '../crypto/tags.ts';
import { generateBranchKey, importBranchKey } from '../branch-keys/wrapped-branch-key.ts';
import { KmsCodecError } from '../errors.ts';
import type { DecryptionKeys } from './decryption-keys.ts';
import { EncryptionSlot, type EncryptionState } from './encryption-slot.ts';
import type { KeyContext } from './key-context.ts';
import {
  asWrappedKey,
  type DataKeyScope,
  type EncryptionKey,
  hasBranchKeys,
  type ScopeKey,
} from './scope-key.ts';
import type { SharedBranchKeys, SharedKeys } from './shared-branch-keys.ts';
import { SingleFlight } from './single-flight.ts';
import { WaitBudget } from './wait-budget.ts';

/** Interval at which a process whose store has failed tries to share keys again, in ms. */
const SHARE_AGAIN_MS = 30_000;
/** How long a background refresh keeps trying, in ms. No caller waits for a background refresh. */
const REFRESH_BUDGET_MS = 60_000;
/**
 * Number of times that an encode waits for Cloud KMS responses about its key before it requests another key
 * itself.
 */
const MAX_WAITS = 10;

/**
 * The current encryption key of each scope. Usually, only the first encryption waits for Cloud KMS. Later
 * scope keys are wrapped in the background. During an outage, the current scope key stays in use until it
 * reaches a hard limit. If Cloud KMS rejects the crypto key, the current scope key is retired.
 *
 * Each data key encrypts a limited number of messages and bytes. If the scope key is a branch key, the next
 * data key needs only a new salt. In the format `envelope`, where Cloud KMS wraps the data key itself, a new
 * data key needs another call to Cloud KMS.
 */
export class EncryptionKeys {
  readonly #context: KeyContext;
  readonly #decryption: DecryptionKeys;
  readonly #slots: LRUCache<string, EncryptionSlot>;
  /**
   * The most recently used slot, because most consecutive messages are in one scope. The cache evicts this
   * slot last.
   */
  #last: EncryptionSlot | undefined;
  readonly #flights: SingleFlight<void>;
  readonly #shared: SharedBranchKeys | undefined;
  /** The keys that this process created. Keys that are not in this set come from the store. */
  readonly #created = new WeakSet<KeyObject>();

  /** @param shared if absent, this process does not share its branch keys */
  constructor(context: KeyContext, decryption: DecryptionKeys, shared?: SharedBranchKeys) {
    this.#context = context;
    this.#decryption = decryption;
    this.#slots = new LRUCache({ max: context.limits.maxEncryptionKeys });
    this.#flights = new SingleFlight(context.observer);
    this.#shared = shared;
  }

  /**
   * Returns the current data key and counts one message of `bytes` bytes. Starts a refresh if one is due.
   * @returns undefined if there is no data key, if the key is past a hard limit, or if Cloud KMS must respond
   *   first
   */
  take(scope: DataKeyScope, bytes: number): EncryptionKey | undefined {
    const slot = this.#slot(scope);
    const now = this.#context.now();
    this.#advance(slot, now);
    return slot.take(bytes, now);
  }

  /**
   * Returns the current data key, or waits for Cloud KMS. If Cloud KMS must respond before the current key may encrypt,
   * waits for at most one second; otherwise waits until Cloud KMS has wrapped the next key.
   * @throws KmsCodecError whose code is the reason why Cloud KMS did not wrap a key; `data_key_exhausted` if
   *   an outage outlasts the hard limits
   */
  async takeOrWait(scope: DataKeyScope, bytes: number, waitBudget: WaitBudget): Promise<EncryptionKey> {
    const tried = new Set<KeyObject>();
    for (let waits = 0; ; waits += 1) {
      const slot = this.#slot(scope);
      const ready = this.take(scope, bytes);
      if (ready) return ready;
      const { hasHadKey, failure, current, wrappedKey } = slot;
      if (failure) throw failure;
      if (!waitBudget.isFinished && waits < MAX_WAITS) {
        const refreshed = slot.refreshAnswered(waitBudget);
        const revalidated = wrappedKey && this.#decryption.revalidated(wrappedKey, waitBudget);
        await refreshed;
        await revalidated;
        if (refreshed || revalidated) continue;
      }
      // An earlier attempt already returned this key, and further attempts would return it again.
      if (current && tried.has(current.key)) throw exhausted(scope);
      if (current) tried.add(current.key);
      try {
        await this.#obtain(slot, waitBudget, true);
      } catch (cause) {
        if (!(hasHadKey && cause instanceof KmsCodecError && cause.retryable)) throw cause;
        throw exhausted(scope, cause);
      }
    }
  }

  /**
   * Returns how long the current scope key may still encrypt, its age, and why the last attempt to replace it
   * failed. The remaining time is 0 while Cloud KMS refuses to unwrap the key, because no process could read
   * what the key encrypts.
   */
  state(scope: DataKeyScope): EncryptionState {
    return this.#slots.get(scope.id)?.state ?? { remainingMs: 0, failure: undefined };
  }

  /** Returns whether this process has a key that encrypts in the scope. */
  has(scope: DataKeyScope): boolean {
    return this.#slots.get(scope.id)?.current !== undefined;
  }

  /**
   * Obtains the first scope key, if there is none.
   * @throws KmsCodecError whose code is the reason why Cloud KMS did not wrap a key
   */
  async warm(scope: DataKeyScope, waitBudget: WaitBudget): Promise<void> {
    const slot = this.#slot(scope);
    if (!slot.current) await this.#obtain(slot, waitBudget, true);
  }

  /**
   * Refreshes scope keys that are due for a refresh. A timer calls this method, so that idle processes also
   * notice a revoked key.
   */
  maintain(): void {
    for (const slot of this.#slots.values()) {
      this.#advance(slot, this.#context.now());
      slot.removeExpired();
    }
  }

  clear(): void {
    this.#slots.clear();
    this.#last = undefined;
  }

  #slot(scope: DataKeyScope): EncryptionSlot {
    if (this.#last?.scope === scope) return this.#last;
    let slot = this.#slots.get(scope.id);
    if (!slot) {
      const isShared = this.#sharing(scope) !== undefined;
      slot = new EncryptionSlot(scope, this.#context, this.#decryption, isShared);
      this.#slots.set(scope.id, slot);
    }
    this.#last = slot;
    return slot;
  }

  #sharing(scope: DataKeyScope): SharedBranchKeys | undefined {
    return hasBranchKeys(scope) ? this.#shared : undefined;
  }

  /** Starts the work that is due in the background: activating the next key, or obtaining a key. */
  #advance(slot: EncryptionSlot, now: number): void {
    const due = slot.due(now);
    const { next } = slot;
    if (due === 'activate' && next) this.#inBackground(slot, () => this.#activate(slot, next));
    else if (due === 'obtain') {
      this.#inBackground(slot, () => this.#obtain(slot, new WaitBudget(REFRESH_BUDGET_MS), false));
    }
  }

  #inBackground(slot: EncryptionSlot, refresh: () => Promise<void>): void {
    slot.isRefreshing = true;
    refresh()
      .catch((error: unknown) => {
        slot.delayRefresh();
        if (!(error instanceof KmsCodecError)) return;
        slot.refreshFailed(error);
        const { namespace, cryptoKey } = slot.scope;
        this.#context.observer.dataKeyRefreshFailed?.({ namespace, key: cryptoKey, code: error.code });
      })
      .finally(() => slot.refreshEnded());
  }

  /**
   * Makes the next key the current key, if Cloud KMS unwraps the next key now. During an outage, keeps the
   * current key, because other processes may not have unwrapped the next key before the outage began. Calls
   * Cloud KMS instead of using the cache, because the cache may not have noticed an outage yet.
   */
  async #activate(slot: EncryptionSlot, next: ScopeKey): Promise<void> {
    const { namespace } = slot.scope;
    slot.asking();
    try {
      const key = asWrappedKey(slot.scope, next);
      await this.#decryption.confirm(namespace, key, new WaitBudget(REFRESH_BUDGET_MS));
    } catch (error) {
      // Drops the refused key. The next refresh obtains another key.
      if (error instanceof KmsCodecError && !error.retryable) slot.next = undefined;
      throw error;
    }
    slot.next = undefined;
    this.#adopt(slot, next);
  }

  /**
   * Obtains a scope key from the store if processes share keys; otherwise creates a key.
   * @param isUrgent whether a payload is waiting
   */
  async #obtain(slot: EncryptionSlot, waitBudget: WaitBudget, isUrgent: boolean): Promise<void> {
    const { scope } = slot;
    await this.#flights.join(scope.id, scope.cryptoKey, waitBudget, async (signal) => {
      slot.asking();
      try {
        const shared = this.#sharing(scope);
        const create = () => this.#create(slot, waitBudget, signal);
        if (slot.confirmedByWrap) await this.#confirmByWrap(slot, slot.confirmedByWrap, signal);
        else if (shared) await this.#share(slot, shared, { create, waitBudget, isUrgent });
        else this.#adopt(slot, await create());
      } catch (error) {
        if (error instanceof KmsCodecError) slot.failed(error);
        throw error;
      }
    });
  }

  /**
   * Makes Cloud KMS wrap a new key. Keeps the current key if Cloud KMS used the same version; otherwise
   * adopts the new key.
   */
  async #confirmByWrap(slot: EncryptionSlot, current: ScopeKey, signal: AbortSignal): Promise<void> {
    const created = await this.#wrap(slot.scope, signal);
    if (created.keyVersion === current.keyVersion) slot.wrapped(created.born);
    else this.#adopt(slot, created);
  }

  /**
   * Returns a new scope key.
   * @throws KmsCodecError also if Cloud KMS refuses the current key and does not unwrap the new key, because
   *   no process could read what the new key encrypts
   */
  async #create(slot: EncryptionSlot, waitBudget: WaitBudget, signal: AbortSignal): Promise<ScopeKey> {
    const { scope } = slot;
    const created = await this.#wrap(scope, signal);
    // Skips this check for an identity without the permission to unwrap, because such an identity may still
    // encrypt.
    if (slot.refusal !== undefined && !slot.isUnreadable)
      await this.#decryption.confirm(scope.namespace, asWrappedKey(scope, created), waitBudget);
    return created;
  }

  async #share(
    slot: EncryptionSlot,
    shared: SharedBranchKeys,
    options: Omit<Parameters<SharedBranchKeys['sync']>[2], 'refreshShare'>,
  ): Promise<void> {
    const { scope, usable, sharing } = slot;
    const own = usable && { current: usable, sharing };
    // A process without a usable key must use the stored key now, so it creates no next key.
    const refreshShare = own ? slot.refreshShare : Number.POSITIVE_INFINITY;
    let keys: SharedKeys;
    try {
      keys = await shared.sync(scope, own, { ...options, refreshShare });
    } catch (error) {
      if (!(error instanceof BranchKeyStoreError)) throw error;
      // The current key stays in use. The observer has already been notified of the store's outage.
      slot.delayRefresh();
      return;
    }
    slot.sharing = keys.sharing;
    slot.next = keys.next;
    if (keys.next) this.#addOwn(scope, keys.next);
    if (usable && sameBytes(usable.wrapped, keys.current.wrapped)) slot.refreshed();
    else this.#adopt(slot, keys.current);
    if (keys.sharing === 'unshared') slot.delayRefresh(SHARE_AGAIN_MS);
  }

  async #wrap(scope: DataKeyScope, signal: AbortSignal): Promise<ScopeKey> {
    const { namespace, cryptoKey, aad } = scope;
    // Reads the clocks before the call, because this process may be suspended before it reads the response.
    const [created, born] = [Math.max(0, Math.trunc(this.#context.wall())), this.#context.now()];
    const isBranchKey = hasBranchKeys(scope);
    const plaintext = isBranchKey ? generateBranchKey(created) : generateKey();
    try {
      const { ciphertext, keyVersion } = await this.#context.semaphore.run(namespace, signal, () =>
        this.#context.keyService.wrap({ key: cryptoKey, plaintext, aad }),
      );
      const key = isBranchKey ? importBranchKey(plaintext) : importKey(plaintext);
      this.#created.add(key);
      return { key, wrapped: ciphertext, keyVersion, created, born };
    } finally {
      plaintext.fill(0);
    }
  }

  #addOwn(scope: DataKeyScope, own: ScopeKey): void {
    this.#decryption.add(scope.namespace, asWrappedKey(scope, own), own.key, own.born);
  }

  /**
   * Makes a scope key the current key, with a new salt. Processes can share a branch key, because each
   * process derives its own data keys. Processes must never share a data key, because each process counts
   * only its own messages.
   */
  #adopt(slot: EncryptionSlot, next: ScopeKey): void {
    const { scope, refusal, wrappedKey } = slot;
    const { namespace, cryptoKey } = scope;
    const isCreated = this.#created.has(next.key);
    const reason = slot.adopt(next);
    if (wrappedKey) this.#decryption.refused.delete(wrappedKey);
    // This identity has no permission to unwrap keys, so this key also counts as refused.
    if (isCreated && refusal === 'permission_denied')
      this.#decryption.refused.add(namespace, asWrappedKey(scope, next), refusal);
    else this.#addOwn(scope, next);
    const origin = isCreated ? 'created' : 'store';
    this.#context.observer.dataKeyRotated?.({
      namespace,
      key: cryptoKey,
      keyVersion: next.keyVersion,
      reason,
      origin,
    });
  }
}

const exhausted = ({ cryptoKey }: DataKeyScope, cause?: KmsCodecError): KmsCodecError =>
  new KmsCodecError(
    'data_key_exhausted',
    'The encryption key has reached a hard limit, and Cloud KMS did not wrap a new key; encryption resumes once Cloud KMS wraps one',
    { key: cryptoKey, cause },
  );
