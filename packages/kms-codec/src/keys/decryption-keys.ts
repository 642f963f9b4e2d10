import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { importKey } from '../crypto/data-key.ts';
import { importBranchKey } from '../branch-keys/wrapped-branch-key.ts';
import { KmsCodecError, type ReasonCode } from '../errors.ts';
import { type CachedKey, CachedKeys, SEVERAL } from './cached-keys.ts';
import { KeyVersionAccess, type Probe } from './key-version-access.ts';
import type { KeyContext } from './key-context.ts';
import { RefusedKeys } from './refused-keys.ts';
import { SingleFlight } from './single-flight.ts';
import { isDue, isUsable, usabilityOf, usableUntil } from './usability.ts';
import type { WaitBudget } from './wait-budget.ts';
import type { WrappedKey } from '../crypto/wrapped-key.ts';

interface CachedKeysState {
  /**
   * How many milliseconds the keys remain usable if Cloud KMS stops responding now. Only keys that were used
   * within the soft age count. The value is Infinity if there are no such keys.
   */
  readonly autonomyMs: number;
  /** Whether the last attempt for at least one key got no response from Cloud KMS. */
  readonly isFailing: boolean;
  /**
   * Milliseconds since Cloud KMS last wrapped or unwrapped the oldest key; undefined if there are no keys.
   */
  readonly oldestMs: number | undefined;
}

/**
 * How long a non-retryable failure is cached, in ms. Without this cache, a history under a disabled key would
 * cost one call per payload.
 */
const FAILURE_TTL_MS = 5_000;
const MAX_FAILURES = 4_096;
/**
 * The cache of branch keys and data keys that Cloud KMS has unwrapped. Concurrent requests for the same key
 * share one Cloud KMS call. Data keys that are derived from branch keys are not in this cache, so callers
 * must look up the branch key.
 *
 * A key is usable only if Cloud KMS has confirmed within the last `revalidateMs` that this process may use
 * the key's version. While keys are in use, the cache renews that confirmation in the background before it
 * expires. A refusal removes all keys of the version. If Cloud KMS does not respond, each key remains usable
 * until `hardAgeMs` after Cloud KMS last wrapped or unwrapped it (stale-if-error, RFC 5861).
 */
export class DecryptionKeys {
  readonly #context: KeyContext;
  readonly #keys: CachedKeys;
  /** This process's own keys that Cloud KMS has refused and has not unwrapped since. */
  readonly refused: RefusedKeys;
  readonly #accesses = new Map<string, KeyVersionAccess>();
  readonly #failures: LRUCache<string, KmsCodecError>;
  readonly #flights: SingleFlight<KeyObject>;

  constructor(context: KeyContext) {
    const { limits, observer, now } = context;
    this.#context = context;
    this.#flights = new SingleFlight(observer);
    const maxOwn = OWN_PER_SCOPE * limits.maxEncryptionKeys;
    this.#keys = new CachedKeys({ own: maxOwn, others: limits.maxDecryptionKeys });
    this.refused = new RefusedKeys(
      maxOwn,
      (namespace, refused, waitBudget) => this.confirm(namespace, refused, waitBudget),
      now,
    );
    this.#failures = new LRUCache({
      max: MAX_FAILURES,
      ttl: FAILURE_TTL_MS,
      perf: { now },
      ttlResolution: 0,
    });
  }

  /**
   * Returns the key if it is cached and usable without a Cloud KMS call. If revalidation is due, revalidates
   * the key's version in the background.
   * @throws KmsCodecError the cached failure, if there is one
   */
  cached(namespace: string, wanted: WrappedKey): KeyObject | undefined {
    const cached = this.#find(wanted);
    if (cached) {
      const outcome = this.#use(cached);
      if (outcome === undefined) return undefined;
      this.#context.observer.dataKeyLookup?.({ namespace, outcome });
      return cached.key;
    }
    const failure = this.#failures.get(wanted.id);
    if (failure) throw failure;
    return undefined;
  }

  /**
   * Returns the key if it is cached and its revalidation is not due. The caller must report the cache hit to
   * the observer.
   */
  confirmed(wanted: WrappedKey): KeyObject | undefined {
    const cached = this.#find(wanted);
    const now = this.#context.now();
    if (!cached || isDue(cached, this.#context.limits, now)) return undefined;
    cached.used = now;
    return cached.key;
  }

  /** Returns whether the key can be used now without a response from Cloud KMS. */
  isReady({ id }: WrappedKey): boolean {
    const cached = this.#keys.peekOther(id) ?? this.#keys.peekOwn(id);
    return cached !== undefined && isUsable(usabilityOf(cached, this.#context.limits, this.#context.now()));
  }

  /**
   * Returns whether this process may encrypt with its own key now. If revalidation is due, revalidates the
   * key in the background.
   */
  mayUse({ id }: WrappedKey, now: number): boolean {
    const cached = this.#keys.findOwn(id);
    return cached !== undefined && this.#use(cached, now) !== undefined;
  }

  /**
   * Returns the time until which Cloud KMS's last confirmation of this process's own key is valid, even if
   * Cloud KMS has refused the key since.
   */
  confirmedUntil(own: WrappedKey): number {
    const access = this.#keys.peekOwn(own.id)?.access;
    return access ? access.confirmed + this.#context.limits.revalidateMs : this.refused.graceUntil(own);
  }

  /**
   * Waits for the call in flight that shows whether Cloud KMS still unwraps this process's own key.
   * @returns undefined if there is no such call
   */
  revalidated({ id }: WrappedKey, waitBudget: WaitBudget): Promise<void> | undefined {
    const access = this.#keys.peekOwn(id)?.access;
    return access?.isAsking ? access.revalidated(waitBudget) : undefined;
  }

  /** Returns whether a failure is cached for the key, so that Cloud KMS would not be called. */
  hasFailed({ id }: WrappedKey): boolean {
    return this.#failures.has(id);
  }

  /**
   * Waits until Cloud KMS has confirmed that the key's version may be used, or has unwrapped the key, and
   * returns the key. Call this method if `cached` returned undefined.
   * @throws KmsCodecError whose code is the reason why Cloud KMS did not unwrap the key
   */
  async unwrap(namespace: string, wanted: WrappedKey, waitBudget: WaitBudget): Promise<KeyObject> {
    const { id } = wanted;
    const cached = this.#find(wanted);
    if (cached) {
      await cached.access.revalidated(waitBudget);
      const outcome = waitBudget.isFinished ? undefined : this.#use(cached);
      if (outcome !== undefined) {
        this.#context.observer.dataKeyLookup?.({ namespace, outcome });
        return cached.key;
      }
    }
    this.#context.observer.dataKeyLookup?.({ namespace, outcome: this.#flights.has(id) ? 'joined' : 'miss' });
    return await this.confirm(namespace, wanted, waitBudget);
  }

  /**
   * Unwraps a key with Cloud KMS, even if the key is cached.
   * @throws KmsCodecError whose code is the reason why Cloud KMS did not unwrap the key
   */
  async confirm(namespace: string, wanted: WrappedKey, waitBudget: WaitBudget): Promise<KeyObject> {
    const { id, cryptoKey, aad, wrapped, keyVersion, isBranchKey } = wanted;
    return await this.#flights.join(id, cryptoKey, waitBudget, async (signal) => {
      const started = this.#context.now();
      try {
        const bytes = await this.#context.semaphore.run(namespace, signal, () =>
          this.#context.keyService.unwrap({ key: cryptoKey, aad, ciphertext: wrapped, keyVersion }),
        );
        const key = isBranchKey ? importBranchKey(bytes) : importKey(bytes);
        // Prefers this process's own entry, because a message can name a wrong version for one of this
        // process's own keys.
        const own = this.#keys.peekOwn(id) ?? this.refused.find(wanted);
        const of = own ?? { namespace, wrappedKey: wanted };
        const version = own ? own.wrappedKey.keyVersion : this.#keys.peekOther(id)?.version;
        const access = this.#accessOf(of.wrappedKey, version, started);
        access.confirm(started);
        this.refused.accept(of.wrappedKey);
        const { namespace: ns, wrappedKey } = of;
        this.#keys.set({
          namespace: ns,
          wrappedKey,
          key,
          access,
          version,
          isOwn: own !== undefined,
          confirmed: started,
          used: started,
        });
        return key;
      } catch (error) {
        if (error instanceof KmsCodecError && !error.retryable) this.#failures.set(id, error);
        throw error;
      }
    });
  }

  /**
   * Records that a message under the key is authentic, which proves that a holder of the key named the key
   * version. Before the first authentic message, an attacker could have named the version. Until then, a
   * Cloud KMS response for the version does not count for the key, and a response for the key does not count
   * for the version.
   */
  authenticated({ id, keyVersion }: WrappedKey): void {
    const cached = this.#keys.peekOther(id);
    if (cached === undefined || cached.version !== undefined || keyVersion === undefined) return;
    cached.version = keyVersion;
    cached.access = this.#accessOf(cached.wrappedKey, keyVersion, cached.confirmed);
    cached.access.confirm(cached.confirmed);
  }

  /**
   * Adds a key with which this process encrypts, so that the process decrypts its own messages without a
   * Cloud KMS call.
   * @param wrappedAt if this process created the key, the start of the call in which Cloud KMS wrapped it
   */
  add(namespace: string, own: WrappedKey, key: KeyObject, wrappedAt: number): void {
    if (this.#keys.peekOwn(own.id)) return;
    const known = this.#keys.peekOther(own.id);
    const confirmed = known?.confirmed ?? wrappedAt;
    const { keyVersion: version } = own;
    const access = this.#accessOf(own, version, confirmed);
    if (known) access.confirm(confirmed);
    this.#keys.set({
      namespace,
      wrappedKey: own,
      key,
      access,
      version,
      isOwn: true,
      confirmed,
      used: this.#context.now(),
    });
  }

  /** Returns the state of a namespace's keys. Makes no call. */
  state(namespace: string): CachedKeysState {
    const now = this.#context.now();
    let autonomyMs = Number.POSITIVE_INFINITY;
    let oldest = now;
    let hasKeys = false;
    let isFailing = false;
    for (const cached of this.#keys.all()) {
      if (cached.namespace !== namespace) continue;
      hasKeys = true;
      oldest = Math.min(oldest, cached.confirmed);
      isFailing ||= cached.access.isFailing;
      if (cached.used + this.#context.limits.softAgeMs <= now) continue;
      autonomyMs = Math.min(autonomyMs, usableUntil(cached, this.#context.limits) - now);
    }
    return { autonomyMs: Math.max(0, autonomyMs), isFailing, oldestMs: hasKeys ? now - oldest : undefined };
  }

  /**
   * Revalidates the keys that are due for revalidation and were used since the last response. Removes keys
   * that are too old to use. A timer calls this method.
   */
  maintain(): void {
    const now = this.#context.now();
    this.#failures.purgeStale();
    this.refused.askAgain();
    const accesses = new Set<KeyVersionAccess>();
    for (const cached of this.#keys.all()) {
      if (now >= usableUntil(cached, this.#context.limits)) this.#keys.delete(cached);
      else {
        accesses.add(cached.access);
        if (cached.used > cached.access.confirmed && isDue(cached, this.#context.limits, now))
          cached.access.revalidate(cached);
      }
    }
    for (const [name, access] of this.#accesses) if (!accesses.has(access)) this.#accesses.delete(name);
  }

  clear(): void {
    this.#keys.clear();
    this.refused.clear();
    this.#accesses.clear();
    this.#failures.clear();
  }

  /**
   * Removes a key because Cloud KMS has refused it or its version. Remembers this process's own keys as
   * refused.
   */
  #refuse(cached: CachedKey, code: ReasonCode): void {
    const { namespace, wrappedKey: refused, isOwn, access } = cached;
    this.#keys.delete(cached);
    const graceUntil = access.confirmed + this.#context.limits.revalidateMs;
    if (isOwn) this.refused.add(namespace, refused, code, graceUntil);
  }

  /**
   * Returns a key, other than the probe, that is wrapped under the same version. Prefers one of this process's
   * own keys; otherwise chooses a random key.
   */
  #another(access: KeyVersionAccess, probe: Probe): CachedKey | undefined {
    const others = this.#keys.all().filter((cached) => cached.access === access && cached !== probe);
    return others[0]?.isOwn ? others[0] : others[Math.floor(Math.random() * others.length)];
  }

  /**
   * Finds a cached key. A key's holder can name several versions for the key, and an attacker can change the
   * version in a header. If messages name different versions, Cloud KMS responses for these versions do not
   * count for the key. This process's own keys are exempt, because their version comes from Cloud KMS.
   */
  #find(wanted: WrappedKey): CachedKey | undefined {
    const cached = this.#keys.find(wanted.id);
    const named = cached?.isOwn === false ? cached.version : undefined;
    if (cached && named !== undefined && named !== SEVERAL && named !== wanted.keyVersion) {
      cached.version = SEVERAL;
      cached.access = this.#accessOf(wanted, SEVERAL, cached.confirmed);
    }
    return cached;
  }

  /** Returns how the key may be used now, or undefined if it must not be used before Cloud KMS has responded. */
  #use(cached: CachedKey, now = this.#context.now()): 'hit' | 'stale' | undefined {
    cached.used = now;
    if (!isDue(cached, this.#context.limits, now)) return 'hit';
    const usability = usabilityOf(cached, this.#context.limits, now);
    if (usability === 'unusable') this.#keys.delete(cached);
    else cached.access.revalidate(cached);
    return isUsable(usability) ? usability : undefined;
  }

  /**
   * Returns the access state of a key's version. A key whose version is unknown has a separate state, and
   * shares no responses with other keys.
   */
  #accessOf({ cryptoKey, id }: WrappedKey, version: number | undefined, confirmed: number): KeyVersionAccess {
    const keyVersion = version === SEVERAL ? undefined : version;
    const name = keyVersion === undefined ? id : `${cryptoKey}/${keyVersion}`;
    let access = this.#accesses.get(name);
    if (access === undefined) {
      access = new KeyVersionAccess(
        { cryptoKey, keyVersion, confirmed },
        {
          context: this.#context,
          unwrapped: () => this.refused.readable.add(cryptoKey),
          another: (of, probe) => this.#another(of, probe),
          refused: (refused, code, only) => {
            if (only === undefined) this.#accesses.delete(name);
            for (const cached of this.#keys.all()) {
              if (cached.access === refused && (only === undefined || cached === only))
                this.#refuse(cached, code);
            }
          },
        },
      );
      this.#accesses.set(name, access);
    }
    return access;
  }
}

/**
 * Maximum number of this process's own keys per scope: the key that encrypts, its predecessor and its
 * successor.
 */
const OWN_PER_SCOPE = 3;
