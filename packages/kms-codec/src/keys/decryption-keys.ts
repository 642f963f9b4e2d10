import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { importKey } from '../crypto/data-key.ts';
import { importBranchKey } from '../branch-keys/wrapped-branch-key.ts';
import { KmsCodecError, type ReasonCode } from '../errors.ts';
import { KeyVersionAccess, type Probe } from './key-version-access.ts';
import type { KeyContext } from './key-context.ts';
import { RefusedKeys } from './refused-keys.ts';
import { SingleFlight } from './single-flight.ts';
import type { WaitBudget } from './wait-budget.ts';
import type { WrappedKey } from '../crypto/wrapped-key.ts';

/** An unwrapped key in the cache. */
interface CachedKey {
  readonly namespace: string;
  readonly wrappedKey: WrappedKey;
  readonly key: KeyObject;
  access: KeyVersionAccess;
  /**
   * The version that wrapped it, as authentic messages name it; undefined before there is one, and `SEVERAL` if
   * messages name more than one. Of a key of this process, that of Cloud KMS or of a proof.
   */
  version: number | undefined;
  /** Whether this process made it. */
  readonly isOwn: boolean;
  /** When Cloud KMS last unwrapped this key itself; for this process's own key, when Cloud KMS wrapped it. */
  confirmed: number;
  used: number;
}

interface CachedKeysState {
  /**
   * How many milliseconds the keys used within the soft age remain usable if Cloud KMS stops answering now.
   * Infinity: there are none.
   */
  readonly autonomyMs: number;
  /** Whether Cloud KMS does not answer for a key. */
  readonly isFailing: boolean;
  /** Milliseconds since Cloud KMS last wrapped or unwrapped the oldest key; undefined without keys. */
  readonly oldestMs: number | undefined;
}

/** How long a non-retryable failure is cached: a history under a disabled key must not cost a call per payload. */
const FAILURE_TTL_MS = 5_000;
const MAX_FAILURES = 4_096;
/** In place of a version. Cloud KMS numbers versions from 1. */
const SEVERAL = 0;

/**
 * The cache of branch keys and data keys that Cloud KMS has unwrapped. Concurrent requests for the same key share one
 * Cloud KMS call. It does not contain data keys derived from branch keys: look up the branch key first.
 *
 * A key is used only while Cloud KMS has confirmed within `revalidateMs` that this process may use its key version.
 * While keys are in use, the cache asks again in the background before that time is over. A refusal removes the
 * keys of the key version. While Cloud KMS does not answer, they remain usable up to `hardAgeMs` after its last answer
 * (stale-if-error, RFC 5861).
 */
export class DecryptionKeys {
  readonly #context: KeyContext;
  readonly #keys: LRUCache<string, CachedKey>;
  /** Keys of this process. Reading other keys, however many, must not evict them. */
  readonly #own: LRUCache<string, CachedKey>;
  /** The last key found, while a cache holds it: most consecutive messages have the same wrapped key. */
  #last: CachedKey | undefined;
  /** The same for the keys that encrypt. */
  #lastOwn: CachedKey | undefined;
  /** Keys of this process that Cloud KMS has refused, each until Cloud KMS unwraps it. */
  readonly refused: RefusedKeys;
  readonly #accesses = new Map<string, KeyVersionAccess>();
  readonly #failures: LRUCache<string, KmsCodecError>;
  readonly #flights: SingleFlight<KeyObject>;

  constructor(context: KeyContext) {
    const { limits, observer, now } = context;
    this.#context = context;
    this.#flights = new SingleFlight(observer);
    const dispose = (removed: CachedKey) => {
      if (this.#last === removed) this.#last = undefined;
      if (this.#lastOwn === removed) this.#lastOwn = undefined;
    };
    this.#keys = new LRUCache({ max: limits.maxDecryptionKeys, dispose });
    this.#own = new LRUCache({ max: OWN_PER_SCOPE * limits.maxEncryptionKeys, dispose });
    this.refused = new RefusedKeys(
      OWN_PER_SCOPE * limits.maxEncryptionKeys,
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
   * Returns the key if it is cached and can be used without a Cloud KMS call. Revalidates its key version in the
   * background when that is due.
   * @throws KmsCodecError a cached failure
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

  /** Returns the key if it is cached and needs no answer from Cloud KMS. The caller reports the hit. */
  confirmed(wanted: WrappedKey): KeyObject | undefined {
    const cached = this.#find(wanted);
    const now = this.#context.now();
    if (!cached || this.#isDue(cached, now)) return undefined;
    cached.used = now;
    return cached.key;
  }

  /** Whether the key can be used now, without an answer of Cloud KMS. If it needs one, Cloud KMS may refuse. */
  isReady({ id }: WrappedKey): boolean {
    const cached = this.#keys.peek(id) ?? this.#own.peek(id);
    return cached !== undefined && isUsable(this.#usability(cached, this.#context.now()));
  }

  /** Whether this process may encrypt with its own key now. Revalidates it in the background when that is due. */
  mayUse({ id }: WrappedKey, now: number): boolean {
    const cached = this.#lastOwn?.wrappedKey.id === id ? this.#lastOwn : this.#own.get(id);
    this.#lastOwn = cached;
    return cached !== undefined && this.#use(cached, now) !== undefined;
  }

  /** Until when Cloud KMS's last confirmation of an own key counts, also if it refuses the key now. */
  confirmedUntil(own: WrappedKey): number {
    const access = this.#own.peek(own.id)?.access;
    return access ? access.confirmed + this.#context.limits.revalidateMs : this.refused.graceUntil(own);
  }

  /** Waits until it is known whether Cloud KMS still unwraps an own key. @returns undefined if Cloud KMS is not asked now */
  revalidated({ id }: WrappedKey, waitBudget: WaitBudget): Promise<void> | undefined {
    const access = this.#own.peek(id)?.access;
    return access?.isAsking ? access.revalidated(waitBudget) : undefined;
  }

  /** Whether a failure is cached, so that Cloud KMS is not called. */
  hasFailed({ id }: WrappedKey): boolean {
    return this.#failures.has(id);
  }

  /**
   * Returns a key that `cached` does not return: after Cloud KMS has confirmed that its key version may be used, or
   * has unwrapped it.
   * @throws KmsCodecError why Cloud KMS does not unwrap it
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
   * Unwraps a key with Cloud KMS, whether it is cached or not.
   * @throws KmsCodecError why Cloud KMS does not unwrap it
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
        // A message can name another version for a key of this process.
        const own = this.#own.peek(id) ?? this.refused.find(wanted);
        const of = own ?? { namespace, wrappedKey: wanted };
        const version = own ? own.wrappedKey.keyVersion : this.#keys.peek(id)?.version;
        const access = this.#accessOf(of.wrappedKey, version, started);
        access.confirm(started);
        this.refused.accept(of.wrappedKey);
        const { namespace: ns, wrappedKey } = of;
        this.#set({
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
   * Notes that a message under a key is authentic, so that a holder of the key has named its version. Until then an
   * attacker may have: no answer for the version counts for the key, and none for the key counts for the version.
   */
  authenticated({ id, keyVersion }: WrappedKey): void {
    const cached = this.#keys.peek(id);
    if (cached === undefined || cached.version !== undefined || keyVersion === undefined) return;
    cached.version = keyVersion;
    cached.access = this.#accessOf(cached.wrappedKey, keyVersion, cached.confirmed);
    cached.access.confirm(cached.confirmed);
  }

  /**
   * Adds a key with which this process encrypts, so that it decrypts its own messages without a call to Cloud KMS.
   * @param wrappedAt when the call began in which Cloud KMS wrapped it, if this process made it
   */
  add(namespace: string, own: WrappedKey, key: KeyObject, wrappedAt: number): void {
    if (this.#own.has(own.id)) return;
    const known = this.#keys.peek(own.id);
    const confirmed = known?.confirmed ?? wrappedAt;
    const { keyVersion: version } = own;
    const access = this.#accessOf(own, version, confirmed);
    if (known) access.confirm(confirmed);
    this.#set({
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

  /** Returns what is known about a namespace's keys, without a call. */
  state(namespace: string): CachedKeysState {
    const now = this.#context.now();
    let autonomyMs = Number.POSITIVE_INFINITY;
    let oldest = now;
    let hasKeys = false;
    let isFailing = false;
    // Metrics ask every second, and there may be many keys.
    for (const keys of [this.#keys, this.#own]) {
      for (const cached of keys.values()) {
        if (cached.namespace !== namespace) continue;
        hasKeys = true;
        oldest = Math.min(oldest, cached.confirmed);
        isFailing ||= cached.access.isFailing;
        if (cached.used + this.#context.limits.softAgeMs <= now) continue;
        autonomyMs = Math.min(autonomyMs, this.#usableUntil(cached) - now);
      }
    }
    return { autonomyMs: Math.max(0, autonomyMs), isFailing, oldestMs: hasKeys ? now - oldest : undefined };
  }

  /**
   * Revalidates keys that are due and were used since the last answer; removes keys that are too old to use. A timer
   * calls it.
   */
  maintain(): void {
    const now = this.#context.now();
    this.#failures.purgeStale();
    this.refused.askAgain();
    const accesses = new Set<KeyVersionAccess>();
    for (const cached of this.#all()) {
      if (now >= this.#usableUntil(cached)) this.#remove(cached);
      else {
        accesses.add(cached.access);
        if (cached.used > cached.access.confirmed && this.#isDue(cached, now))
          cached.access.revalidate(cached);
      }
    }
    for (const [name, access] of this.#accesses) if (!accesses.has(access)) this.#accesses.delete(name);
  }

  clear(): void {
    this.#keys.clear();
    this.#own.clear();
    this.refused.clear();
    this.#accesses.clear();
    this.#failures.clear();
  }

  /** Notes that Cloud KMS has refused the version of a key, and removes the key. */
  #refuse({ namespace, wrappedKey: refused, isOwn, access }: CachedKey, code: ReasonCode): void {
    this.#keys.delete(refused.id);
    this.#own.delete(refused.id);
    const graceUntil = access.confirmed + this.#context.limits.revalidateMs;
    if (isOwn) this.refused.add(namespace, refused, code, graceUntil);
  }

  #all(): CachedKey[] {
    return [...this.#own.values(), ...this.#keys.values()];
  }

  #set(cached: CachedKey): void {
    const { id } = cached.wrappedKey;
    (cached.isOwn ? this.#keys : this.#own).delete(id);
    (cached.isOwn ? this.#own : this.#keys).set(id, cached);
  }

  /** Returns a key under the version, other than the probe: of this process if there is one, else any. */
  #another(access: KeyVersionAccess, probe: Probe): CachedKey | undefined {
    const others = this.#all().filter((cached) => cached.access === access && cached !== probe);
    return others[0]?.isOwn ? others[0] : others[Math.floor(Math.random() * others.length)];
  }

  /**
   * A holder of a key can name several versions for it, and an attacker can change the version in a header. If messages
   * name two, answers for either do not count for it. The version of a key of this process comes from Cloud KMS.
   */
  #find(wanted: WrappedKey): CachedKey | undefined {
    const { id } = wanted;
    const isLast = this.#last?.wrappedKey.id === id;
    const cached = isLast ? this.#last : (this.#own.get(id) ?? this.#keys.get(id));
    this.#last = cached;
    const named = cached?.isOwn === false ? cached.version : undefined;
    if (cached && named !== undefined && named !== SEVERAL && named !== wanted.keyVersion) {
      cached.version = SEVERAL;
      cached.access = this.#accessOf(wanted, SEVERAL, cached.confirmed);
    }
    return cached;
  }

  #remove({ wrappedKey: { id } }: CachedKey): void {
    this.#keys.delete(id);
    this.#own.delete(id);
  }

  /** Returns undefined when the key must not be used before Cloud KMS has answered. */
  #use(cached: CachedKey, now = this.#context.now()): 'hit' | 'stale' | undefined {
    cached.used = now;
    if (!this.#isDue(cached, now)) return 'hit';
    const usability = this.#usability(cached, now);
    if (usability === 'unusable') this.#remove(cached);
    else cached.access.revalidate(cached);
    return isUsable(usability) ? usability : undefined;
  }

  #usability(cached: CachedKey, now: number): Usability {
    const { access } = cached;
    if (access.isRefused || now >= this.#usableUntil(cached)) return 'unusable';
    if (now < access.confirmed + this.#context.limits.revalidateMs) return 'hit';
    return access.isFailing ? 'stale' : 'unconfirmed';
  }

  /**
   * Whether to ask Cloud KMS again. An answer for one key counts for all of its key version. A message's author names
   * the version, so each key is also unwrapped again itself, at half of the hard age.
   */
  #isDue({ access, confirmed }: CachedKey, now: number): boolean {
    return now >= access.revalidateAt || now >= confirmed + this.#context.limits.hardAgeMs / 2;
  }

  /** A key of this process is readable for as long as it may encrypt, although only its wrap was confirmed. */
  #usableUntil({ access, confirmed, isOwn }: CachedKey): number {
    const last = isOwn ? confirmed : Math.min(access.confirmed, confirmed);
    return last + this.#context.limits.hardAgeMs;
  }

  /** A key whose version is not known shares no answer with others. */
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
            for (const cached of this.#all()) {
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
 * Whether a key may be used now: `hit`, because the last answer of Cloud KMS counts; `stale`, because Cloud KMS does
 * not answer; `unconfirmed`, when Cloud KMS has answered; `unusable`, no longer.
 */
type Usability = 'hit' | 'stale' | 'unconfirmed' | 'unusable';

const isUsable = (usability: Usability): usability is 'hit' | 'stale' =>
  usability === 'hit' || usability === 'stale';

/** For each key that encrypts, its predecessor and successor also stay in memory. */
const OWN_PER_SCOPE = 3;
