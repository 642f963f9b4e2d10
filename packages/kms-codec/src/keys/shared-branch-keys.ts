import { LRUCache } from 'lru-cache';
import {
  type BranchKeyEntry,
  parseEntry,
  serializeEntry,
  type StoredBranchKey,
} from '../branch-keys/entry.ts';
import type { GuardedStore, StoreCall } from '../branch-keys/guarded-store.ts';
import { ABSENT, branchKeyId, BranchKeyStoreError, type StoredValue } from '../branch-keys/store.ts';
import { isKeyVersionProof, proveKeyVersion } from '../branch-keys/key-version-proof.ts';
import { sameBytes } from '../crypto/tags.ts';
import { createdOf } from '../branch-keys/wrapped-branch-key.ts';
import { KmsCodecError } from '../errors.ts';
import type { DecryptionKeys } from './decryption-keys.ts';
import type { KeyContext } from './key-context.ts';
import { asWrappedKey, type DataKeyScope, type ScopeKey } from './scope-key.ts';
import { WaitBudget } from './wait-budget.ts';

/**
 * Whether the current branch key is shared. `shared` means that the store has the key. `unshared` means that
 * the store failed. `refused` means that this process can neither use nor replace the stored key.
 */
type Sharing = 'shared' | 'unshared' | 'refused';

/** The branch keys with which a process encrypts. */
export interface SharedKeys {
  readonly current: ScopeKey;
  /** Replaces the current key once {@link isActive} returns true. */
  readonly next: ScopeKey | undefined;
  readonly sharing: Sharing;
}

export interface SyncOptions {
  /** Creates a branch key. Called only if the store has no usable key, or if a next key is due. */
  readonly create: () => Promise<ScopeKey>;
  readonly waitBudget: WaitBudget;
  /** The share of the soft age after which a next key is created. */
  readonly refreshShare: number;
  /** Whether a payload is waiting. */
  readonly isUrgent: boolean;
}

/** The share of a soft limit at which a refresh starts at the latest. */
export const REFRESH_AT = 0.75;
/**
 * The share of the soft age during which a next key is not used yet, so that every process can unwrap it before
 * any process encrypts with it.
 */
const LEAD = 0.2;
/**
 * How far in the future a key's creation date may be, in ms. Such dates are possible because the clocks of
 * machines differ.
 */
const CLOCK_SKEW_MS = 300_000;
/**
 * Time limit, in ms. A payload waits at most this long in total for the store, and at most this long for
 * Cloud KMS to unwrap the stored keys.
 */
const URGENT_MS = 2_000;
const MAX_TRIES = 4;
/** Number of branch keys that a scope has at any time: the previous, the current and the next key. */
const SEEN_PER_SCOPE = 3;

/** Returns whether a next key is old enough to replace the current key. */
export const isActive = ({ born }: ScopeKey, softAgeMs: number, now: number): boolean =>
  now >= born + LEAD * softAgeMs;

/** The keys that a process has found in the store. */
interface Found {
  /** The key that encrypts now, if this process can use it. */
  readonly current?: ScopeKey | undefined;
  readonly next?: ScopeKey | undefined;
  /** Whether this process can neither use nor replace the entry. */
  readonly isRefused?: boolean;
}

/**
 * Branch keys that processes share through a store. A process uses a stored key only if five conditions are
 * met: Cloud KMS has unwrapped the key for this crypto key and namespace; the stored date equals the date
 * that Cloud KMS unwrapped; the proof of the key version is valid; the key is younger than the soft age; and
 * the keys file does not deny the key.
 *
 * A process replaces only the value that it has read. If several processes write concurrently, one of them
 * succeeds, and the other processes use its key.
 */
export class SharedBranchKeys {
  readonly #store: GuardedStore;
  readonly #context: KeyContext;
  readonly #decryption: DecryptionKeys;
  /**
   * When the branch keys that this process has seen were created, according to its `elapsedClock`. Without
   * these times, a key in the store would look younger after the time of day is set back.
   */
  readonly #born: LRUCache<string, number>;
  /** The scopes whose entries were reported as unusable. */
  readonly #reported: LRUCache<string, true>;

  constructor(context: KeyContext, decryption: DecryptionKeys, store: GuardedStore) {
    const { limits } = context;
    this.#context = context;
    this.#decryption = decryption;
    this.#store = store;
    this.#born = new LRUCache({ max: SEEN_PER_SCOPE * limits.maxEncryptionKeys });
    this.#reported = new LRUCache({ max: limits.maxEncryptionKeys });
  }

  /**
   * Returns the fleet's keys. The fleet's keys are the stored keys or, if there are no stored keys, keys that
   * this process has created and stored. Creates a next key if one is due.
   * @param own this process's current key, and whether the store had it
   * @throws KmsCodecError if Cloud KMS neither unwraps nor wraps a key; BranchKeyStoreError if the store
   *   cannot be used but this process's current key still can
   */
  async sync(
    scope: DataKeyScope,
    own: Pick<SharedKeys, 'current' | 'sharing'> | undefined,
    options: SyncOptions,
  ): Promise<SharedKeys> {
    let created: ScopeKey | undefined;
    const create = async () => {
      created ??= await options.create();
      this.#born.set(asWrappedKey(scope, created).id, created.born);
      return created;
    };
    const usable = own && this.#isYoung(own.current) ? own : undefined;
    try {
      const synced = await this.#trySync(scope, usable, { ...options, create });
      if (synced) return synced;
    } catch (error) {
      if (!(error instanceof BranchKeyStoreError) || usable) throw error;
      return { current: await create(), next: undefined, sharing: 'unshared' };
    }
    const isDue = !usable || this.#age(usable.current) >= options.refreshShare;
    return { current: isDue ? await create() : usable.current, next: undefined, sharing: 'refused' };
  }

  /**
   * Unwraps the stored keys, so that this process can read messages from other processes.
   * @returns the time from which another key can be expected
   * @throws KmsCodecError, BranchKeyStoreError
   */
  async unwrapStored(scope: DataKeyScope, waitBudget: WaitBudget): Promise<number> {
    const stored = await this.#store.load(branchKeyId(scope.cryptoKey, scope.namespace));
    const { current, next } = await this.#find(scope, stored, undefined, waitBudget);
    const newest = next ?? current;
    return newest === undefined ? 0 : newest.born + REFRESH_AT * this.#context.limits.softAgeMs;
  }

  /** Closes the store. */
  async close(): Promise<void> {
    await this.#store.close();
  }

  /** @returns undefined if this process can neither use nor replace the stored entry */
  async #trySync(
    scope: DataKeyScope,
    own: Pick<SharedKeys, 'current' | 'sharing'> | undefined,
    { create, waitBudget, refreshShare, isUrgent }: SyncOptions,
  ): Promise<SharedKeys | undefined> {
    const id = branchKeyId(scope.cryptoKey, scope.namespace);
    // One time limit applies to all store calls for which a payload waits. Cloud KMS calls do not count
    // towards this limit.
    const call: StoreCall = isUrgent ? { isUrgent, time: { leftMs: URGENT_MS } } : {};
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const stored = await this.#store.load(id, call);
      const found = own
        ? await this.#find(scope, stored, own.current, waitBudget)
        : await this.#findSoon(scope, stored);
      if (found.isRefused) return undefined;
      const current = choose(own, found.current);
      const isStored = current !== undefined && current === found.current;
      const next = isStored ? found.next : undefined;
      const isDue = current !== undefined && this.#age(current) >= refreshShare;
      if (isStored && (next || !isDue)) return { current, next, sharing: 'shared' };
      const keys =
        current === undefined
          ? { current: await create(), next: undefined }
          : { current, next: isDue ? await create() : undefined };
      const value = serializeEntry(entryOf(scope, keys));
      if (await this.#store.replace(id, value, stored?.generation ?? ABSENT, call)) {
        this.#recovered(scope);
        return { ...keys, sharing: 'shared' };
      }
    }
    throw new BranchKeyStoreError(
      'unavailable',
      'Other processes replaced the stored branch keys during each attempt to use them',
    );
  }

  /**
   * Unwraps the stored keys within the time that a payload may wait.
   * @throws BranchKeyStoreError if Cloud KMS does not unwrap them in time; Cloud KMS may still be able to
   *   wrap a new key
   */
  async #findSoon(scope: DataKeyScope, stored: StoredValue | undefined): Promise<Found> {
    try {
      return await this.#find(scope, stored, undefined, new WaitBudget(URGENT_MS));
    } catch (error) {
      if (!(error instanceof KmsCodecError)) throw error;
      throw new BranchKeyStoreError('unavailable', 'Cloud KMS did not unwrap the stored branch keys');
    }
  }

  /** @param own this process's current key, which needs no Cloud KMS call */
  async #find(
    scope: DataKeyScope,
    stored: StoredValue | undefined,
    own: ScopeKey | undefined,
    waitBudget: WaitBudget,
  ): Promise<Found> {
    if (stored === undefined) return {};
    let entry: BranchKeyEntry;
    try {
      entry = parseEntry(stored.value);
    } catch (error) {
      if (!(error instanceof BranchKeyStoreError)) throw error;
      this.#report(scope, error);
      return { isRefused: error.code === 'unsupported_version' };
    }
    const problems: BranchKeyStoreError[] = [];
    const unwrap = async (one: StoredBranchKey) => {
      if (own && sameBytes(own.wrapped, one.wrapped) && own.created === one.created) return own;
      try {
        return await this.#unwrap(scope, one, waitBudget);
      } catch (error) {
        if (!(error instanceof BranchKeyStoreError)) throw error;
        problems.push(error);
      }
    };
    const [current, later] = await Promise.all([unwrap(entry.current), entry.next && unwrap(entry.next)]);
    // Ignores a next key that is older than the current key.
    const next = current && later && later.created <= current.created ? undefined : later;
    const [problem] = problems;
    if (problem) this.#report(scope, problem);
    else if (current ?? next) this.#recovered(scope);
    if (problems.some(({ code }) => code === 'not_permitted')) return { isRefused: true };
    if (next && (!current || isActive(next, this.#context.limits.softAgeMs, this.#context.now())))
      return { current: next };
    return { current, next };
  }

  /**
   * Unwraps a stored key. Returns undefined if the key is too old.
   * @throws BranchKeyStoreError `not_permitted`, `unverified`; KmsCodecError if Cloud KMS does not respond
   */
  async #unwrap(
    scope: DataKeyScope,
    { wrapped, keyVersion, created, proof }: StoredBranchKey,
    waitBudget: WaitBudget,
  ): Promise<ScopeKey | undefined> {
    const { namespace } = scope;
    if (this.#context.denies(wrapped)) {
      throw new BranchKeyStoreError('unverified', 'The keys file’s deny-list contains a stored branch key');
    }
    if (created > this.#context.wall() + CLOCK_SKEW_MS) {
      throw new BranchKeyStoreError('unverified', "A stored branch key's date is in the future");
    }
    const dataKey = asWrappedKey(scope, { wrapped, keyVersion });
    const born = this.#bornOf(dataKey.id, created);
    if (!this.#isYoung({ born })) return undefined;
    let key;
    try {
      key =
        this.#decryption.cached(namespace, dataKey) ??
        (await this.#decryption.unwrap(namespace, dataKey, waitBudget));
    } catch (error) {
      if (!(error instanceof KmsCodecError) || error.retryable) throw error;
      throw error.code === 'permission_denied'
        ? new BranchKeyStoreError('not_permitted', 'This identity may not unwrap the stored branch keys')
        : new BranchKeyStoreError('unverified', `A stored branch key cannot be unwrapped: ${error.code}`);
    }
    if (createdOf(key) !== created || !isKeyVersionProof(key, namespace, keyVersion, proof)) {
      throw new BranchKeyStoreError(
        'unverified',
        "A stored branch key's date or key version is not authentic",
      );
    }
    this.#decryption.authenticated(dataKey);
    this.#born.set(dataKey.id, born);
    return { key, wrapped, keyVersion, created, born };
  }

  /**
   * Returns when a key was created, but never a time in the future, even if the clock of the process that
   * created the key is ahead.
   */
  #bornOf(id: string, created: number): number {
    const byDate = this.#context.now() - Math.max(0, this.#context.wall() - created);
    return Math.min(this.#born.get(id) ?? byDate, byDate);
  }

  #age({ born }: Pick<ScopeKey, 'born'>): number {
    return (this.#context.now() - born) / this.#context.limits.softAgeMs;
  }

  #isYoung(key: Pick<ScopeKey, 'born'>): boolean {
    return this.#age(key) < 1;
  }

  #report({ id, namespace, cryptoKey }: DataKeyScope, { code, message }: BranchKeyStoreError): void {
    if (this.#reported.has(id)) return;
    this.#reported.set(id, true);
    this.#context.observer.branchKeyStoreFailed?.({
      operation: 'adopt',
      code,
      message,
      namespace,
      key: cryptoKey,
    });
  }

  #recovered({ id, namespace, cryptoKey }: DataKeyScope): void {
    if (!this.#reported.delete(id)) return;
    this.#context.observer.branchKeyStoreRecovered?.({ operation: 'adopt', namespace, key: cryptoKey });
  }
}

/**
 * Returns the key with which to encrypt. If the store once had this process's key, that key stays current
 * unless the stored key is newer, because an attacker may have restored an older entry. If the store never
 * had this process's key, returns the stored key, so that a fleet agrees on a key again after it has lost its
 * store.
 */
function choose(
  own: Pick<SharedKeys, 'current' | 'sharing'> | undefined,
  found: ScopeKey | undefined,
): ScopeKey | undefined {
  if (!own || !found) return own?.current ?? found;
  return own.sharing === 'shared' && own.current.created > found.created ? own.current : found;
}

function entryOf(
  { namespace }: DataKeyScope,
  { current, next }: Pick<SharedKeys, 'current' | 'next'>,
): BranchKeyEntry {
  const stored = ({ key, wrapped, keyVersion, created }: ScopeKey): StoredBranchKey => ({
    wrapped,
    keyVersion,
    created,
    proof: proveKeyVersion(key, namespace, keyVersion),
  });
  return { current: stored(current), next: next && stored(next) };
}
