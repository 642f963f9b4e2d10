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

/** How often a process whose store has failed tries to share again. */
const SHARE_AGAIN_MS = 30_000;
/** How long a refresh in the background retries. No caller waits for it. */
const REFRESH_BUDGET_MS = 60_000;
/** How often an encode waits for answers about its key before it requests another key itself. */
const MAX_WAITS = 10;

/**
 * The data keys that encrypt, one per scope. After the first, encryption does not wait for Cloud KMS: a new scope key
 * is wrapped in the background. During an outage the current scope key is used up to its hard limits; when Cloud KMS
 * rejects the crypto key, the current scope key is retired.
 *
 * A data key encrypts a limited number of messages and bytes. The next data key of a branch key takes only a new salt.
 * A data key that Cloud KMS wrapped itself (format `envelope`) can be replaced only by Cloud KMS.
 */
export class EncryptionKeys {
  readonly #context: KeyContext;
  readonly #decryption: DecryptionKeys;
  readonly #slots: LRUCache<string, EncryptionSlot>;
  /**
   * The slot that was used last, which is the last that the cache evicts: most consecutive messages are in one scope.
   */
  #last: EncryptionSlot | undefined;
  readonly #flights: SingleFlight<void>;
  readonly #shared: SharedBranchKeys | undefined;
  /** The keys that this process created. Others come from the store. */
  readonly #created = new WeakSet<KeyObject>();

  /** @param shared absent: this process shares its branch keys with no other */
  constructor(context: KeyContext, decryption: DecryptionKeys, shared?: SharedBranchKeys) {
    this.#context = context;
    this.#decryption = decryption;
    this.#slots = new LRUCache({ max: context.limits.maxEncryptionKeys });
    this.#flights = new SingleFlight(context.observer);
    this.#shared = shared;
  }

  /**
   * Returns the current data key and counts one message of `bytes` for it. Starts a refresh when one is due.
   * @returns undefined when there is no data key, when it is past a hard limit, or when Cloud KMS must answer before
   */
  take(scope: DataKeyScope, bytes: number): EncryptionKey | undefined {
    const slot = this.#slot(scope);
    const now = this.#context.now();
    this.#advance(slot, now);
    return slot.take(bytes, now);
  }

  /**
   * Returns the current data key, or waits: for a second at most where Cloud KMS must answer before it encrypts, else
   * until Cloud KMS has wrapped the next.
   * @throws KmsCodecError why Cloud KMS wraps none; `data_key_exhausted` when an outage outlasts the hard limits
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
      // A key that an earlier attempt returned: further attempts would return it again.
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
   * Returns how long the current scope key may encrypt, its age, and why the last attempt to replace it failed. The
   * time is 0 while Cloud KMS refuses to unwrap the key, because no process can read what it encrypts.
   */
  state(scope: DataKeyScope): EncryptionState {
    return this.#slots.get(scope.id)?.state ?? { remainingMs: 0, failure: undefined };
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

  /** Starts in the background what is due: the next key becomes current, or a next key is obtained. */
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
   * Encrypts with the next key from now on, if Cloud KMS unwraps it now. During an outage the current key stays, since
   * another process may not have unwrapped the next key before the outage began. What the cache knows about Cloud KMS
   * may be older.
   */
  async #activate(slot: EncryptionSlot, next: ScopeKey): Promise<void> {
    const { namespace } = slot.scope;
    slot.asking();
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

  /** Encrypts with the current key again if Cloud KMS still wraps keys under its version, else with the new key. */
  async #confirmByWrap(slot: EncryptionSlot, current: ScopeKey, signal: AbortSignal): Promise<void> {
    const created = await this.#wrap(slot.scope, signal);
    if (created.keyVersion === current.keyVersion) slot.wrapped(created.born);
    else this.#adopt(slot, created);
  }

  /**
   * Returns a new scope key.
   * @throws KmsCodecError also when no process could read what it encrypts: Cloud KMS refuses the current key, and may wrap
   *   keys under a version that it does not unwrap
   */
  async #create(slot: EncryptionSlot, waitBudget: WaitBudget, signal: AbortSignal): Promise<ScopeKey> {
    const { scope } = slot;
    const created = await this.#wrap(scope, signal);
    // Without the permission to unwrap, this process may still encrypt.
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
    // Without a current key, there is no time to wait for a next key.
    const refreshShare = own ? slot.refreshShare : Number.POSITIVE_INFINITY;
    let keys: SharedKeys;
    try {
      keys = await shared.sync(scope, own, { ...options, refreshShare });
    } catch (error) {
      if (!(error instanceof BranchKeyStoreError)) throw error;
      // The current key stays in use, and the store has reported its outage.
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
    // Before the call: this process may be suspended before it reads the answer.
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
   * Encrypts with a scope key from now on, with a new salt. Processes may share a branch key, because each derives its
   * own data keys, but never a data key, whose messages each process counts alone.
   */
  #adopt(slot: EncryptionSlot, next: ScopeKey): void {
    const { scope, refusal, isUnreadable, wrappedKey } = slot;
    const { namespace, cryptoKey } = scope;
    const isCreated = this.#created.has(next.key);
    const reason = slot.adopt(next);
    if (wrappedKey) this.#decryption.refused.delete(wrappedKey);
    // This identity may not unwrap any key.
    if (isCreated && isUnreadable && refusal !== undefined)
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
    'The key that encrypts has reached a hard limit, and Cloud KMS does not wrap a new key; encryption resumes when it does',
    { key: cryptoKey, cause },
  );
