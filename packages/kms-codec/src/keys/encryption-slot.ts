import { KmsCodecError, type ReasonCode } from '../errors.ts';
import { withResolvers } from '../maybe-promise.ts';
import { FAILURE_COUNTS_MS } from './key-version-access.ts';
import type { WrappedKey } from '../crypto/wrapped-key.ts';
import type { DecryptionKeys } from './decryption-keys.ts';
import type { KeyContext } from './key-context.ts';
import type { DataKeyLimits } from './limits.ts';
import {
  asWrappedKey,
  type DataKeyScope,
  type EncryptionKey,
  hasBranchKeys,
  hasRoom,
  newDataKey,
  reasonToReplace,
  type RotationReason,
  type ScopeKey,
  usedShare,
} from './scope-key.ts';
import { isActive, REFRESH_AT, type SharedKeys } from './shared-branch-keys.ts';
import type { WaitBudget } from './wait-budget.ts';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';

/** The state of the current scope key. */
export interface EncryptionState {
  /**
   * How many milliseconds the key may still encrypt; 0 if there is no key, or while Cloud KMS refuses to
   * unwrap the key.
   */
  readonly remainingMs: number;
  /** Age of the key, in ms; absent if there is no current key. */
  readonly ageMs?: number;
  /** Why the last attempt to replace the key failed. */
  readonly failure: ReasonCode | undefined;
}

/**
 * How much earlier than `REFRESH_AT` a refresh may start, as a share of the limit. The actual share is
 * random.
 */
const REFRESH_SPREAD = 0.05;
/**
 * The same for processes with a store: one minute of the default soft age, so that all processes unwrap the
 * next key within that minute.
 */
const SHARED_REFRESH_SPREAD = 1 / 60;
const RETRY_REFRESH_MS = 10_000;
const FAILURE_TTL_MS = 5_000;
/**
 * The maximum time, in ms, that an encode waits if Cloud KMS must respond before the current key may encrypt. After that,
 * Cloud KMS counts as unavailable.
 */
const SLOW_MS = 1_000;
/** The share of `revalidateMs` after which an identity that may only encrypt wraps another key. */
const WRAP_AGAIN_AT = 0.65;

/**
 * The encryption keys of one scope: the current data key, its limits, and when to replace it. Makes no calls.
 *
 * A key encrypts only while Cloud KMS lets this process use the key: Cloud KMS must have confirmed this
 * within `revalidateMs`, and the key must be younger than the soft age. Otherwise, an encode waits for Cloud
 * KMS. The encode then uses the current key only if Cloud KMS does not respond, or if Cloud KMS refuses
 * another key while the last confirmation of the current key is still valid.
 */
export class EncryptionSlot {
  readonly scope: DataKeyScope;
  /**
   * The share of a soft limit at which a refresh starts. The share is random, so that the processes of a
   * fleet do not all call Cloud KMS at the same time.
   */
  readonly refreshShare: number;
  /**
   * A branch key from the store that will replace the current key, after a delay in which every process
   * unwraps it.
   */
  next: ScopeKey | undefined;
  sharing: SharedKeys['sharing'] = 'unshared';
  isRefreshing = false;
  /**
   * Whether this slot has, or once had, a scope key. If there was a key and there is no current key, the key
   * has reached a hard limit.
   */
  hasHadKey = false;
  readonly #limits: DataKeyLimits;
  readonly #now: () => number;
  readonly #isShared: boolean;
  readonly #decryption: DecryptionKeys;
  /** The current scope key, in the form that the decryption cache uses. */
  #wrappedKey: WrappedKey | undefined;
  #current: EncryptionKey | undefined;
  /** After a failed refresh, no refresh starts before this time. */
  #nextRefresh = 0;
  #refreshFailure: ReasonCode | undefined;
  /**
   * From this time on, the process counts as having no key, because Cloud KMS rejected the call that
   * refreshes the key. An outage does not set this time.
   */
  #retireAt = Number.POSITIVE_INFINITY;
  /**
   * When the current scope key expires after Cloud KMS has rejected its refresh. Can be later than
   * `#retireAt`, so that work in progress can complete.
   */
  #expiresAt = Number.POSITIVE_INFINITY;
  /** The time until which the current scope key was confirmed when the latest call began. */
  #confirmedUntil = 0;
  /**
   * The start time of the last call in which Cloud KMS wrapped a key under the current scope key's version.
   */
  #wrapped = 0;
  /** Until this time, Cloud KMS counts as unavailable. */
  #unansweredUntil = 0;
  /** Callbacks of the encodes that wait for the refresh. */
  readonly #waiting = new Set<() => void>();
  /** The last non-retryable error, cached for a few seconds. */
  #failure: { readonly error: KmsCodecError; readonly until: number } | undefined;

  /** @param isShared whether processes share the scope's branch keys */
  constructor(
    scope: DataKeyScope,
    { limits, now }: Pick<KeyContext, 'limits' | 'now'>,
    decryption: DecryptionKeys,
    isShared: boolean,
  ) {
    this.scope = scope;
    this.#limits = limits;
    this.#now = now;
    this.#isShared = isShared;
    this.#decryption = decryption;
    this.refreshShare = REFRESH_AT - (isShared ? SHARED_REFRESH_SPREAD : REFRESH_SPREAD) * Math.random();
  }

  /** The current scope key, even if it is past a hard limit. */
  get current(): ScopeKey | undefined {
    return this.#current?.source;
  }

  /** The current scope key, in the form that the decryption cache uses. */
  get wrappedKey(): WrappedKey | undefined {
    return this.#wrappedKey;
  }

  /** The current scope key, unless it is past its hard age or Cloud KMS refuses to unwrap it. */
  get usable(): ScopeKey | undefined {
    return this.#isPastAge(this.#now()) || this.refusal !== undefined ? undefined : this.current;
  }

  /** Returns why Cloud KMS refuses to unwrap the current scope key, or undefined if it does not refuse. */
  get refusal(): ReasonCode | undefined {
    return this.#wrappedKey && this.#decryption.refused.codeOf(this.#wrappedKey);
  }

  /**
   * The current key, if this identity may not unwrap, so that only a successful wrap can confirm the key.
   * Undefined if a replacement is due.
   */
  get confirmedByWrap(): ScopeKey | undefined {
    const isDue = this.#current && usedShare(this.#current, this.#limits, this.#now()) >= this.refreshShare;
    return this.isUnreadable && !isDue ? this.current : undefined;
  }

  /**
   * Counts one message of `bytes` bytes, and returns the data key for it.
   * @param now the current time, which the caller has already read for this message
   * @returns undefined if a hard limit is reached, or if Cloud KMS must respond first
   */
  take(bytes: number, now: number): EncryptionKey | undefined {
    const current = this.#current;
    if (!current || this.#isPastAge(now) || !this.#mayEncrypt(now)) return undefined;
    const key = this.#withRoom(current, bytes);
    if (!key) return undefined;
    key.messages += 1;
    key.bytes += bytes;
    return key;
  }

  /** Returns what to do in the background: activate the next key, or obtain another key. */
  due(now: number): 'activate' | 'obtain' | undefined {
    if (!this.#current || this.isRefreshing) return undefined;
    const mustAsk = this.#mustAsk(now);
    if (now < this.#nextRefresh && !mustAsk) return undefined;
    const { softAgeMs } = this.#limits;
    const { next, refusal } = this;
    if (next && refusal === undefined && now < next.born + softAgeMs) {
      // Activates the next key early instead of calling `obtain`. In an outage that began before other
      // processes unwrapped the key, `obtain` might still return the key from the cache.
      return mustAsk || isActive(next, softAgeMs, now) ? 'activate' : undefined;
    }
    const isOld = usedShare(this.#current, this.#limits, now) >= this.refreshShare;
    const isRefused = this.isUnreadable
      ? now >= this.#wrapped + WRAP_AGAIN_AT * this.#limits.revalidateMs
      : refusal !== undefined;
    // If `mustAsk` is true, the key is old or refused, so `isDue` is true. A failed refresh is repeated even
    // if Cloud KMS accepts the refused key again.
    const isDue = isOld || isRefused || this.#refreshFailure !== undefined;
    return isDue || (this.#isShared && this.sharing === 'unshared') ? 'obtain' : undefined;
  }

  /**
   * Waits until the refresh ends, but for at most one second. If the refresh has not ended by then, Cloud KMS
   * counts as unavailable.
   * @returns undefined if the current key does not depend on a refresh
   */
  refreshAnswered(waitBudget: WaitBudget): Promise<void> | undefined {
    const now = this.#now();
    if (!this.isRefreshing || !this.#mustAsk(now) || this.#isPastAge(now)) return undefined;
    const { promise, resolve } = withResolvers<void>();
    this.#waiting.add(resolve);
    const timer = new WaitTimer(Math.min(SLOW_MS, waitBudget.budgetMs), () => this.#unanswered());
    const leave = waitBudget.wait(resolve);
    return promise.finally(() => {
      timer.stop();
      leave();
      this.#waiting.delete(resolve);
    });
  }

  /** Records that the refresh in the background has ended. */
  refreshEnded(): void {
    this.isRefreshing = false;
    this.#wake();
  }

  /** The last call's cached error, if Cloud KMS rejected that call. */
  get failure(): KmsCodecError | undefined {
    return this.#failure && this.#now() < this.#failure.until ? this.#failure.error : undefined;
  }

  get state(): EncryptionState {
    if (!this.#current) return { remainingMs: 0, failure: this.#failure?.error.code };
    const { born } = this.#current.source;
    const now = this.#now();
    const refusal = this.#mayOnlyEncrypt ? undefined : this.refusal;
    const until = Math.min(this.#retireAt, born + this.#limits.hardAgeMs);
    return {
      remainingMs: refusal === undefined ? Math.max(0, until - now) : 0,
      ageMs: now - born,
      failure: refusal ?? this.#refreshFailure,
    };
  }

  /** Removes the scope key from memory if it has expired. */
  removeExpired(): void {
    if (!this.#current || !this.#isPastAge(this.#now())) return;
    this.#current = undefined;
    this.#wrappedKey = undefined;
  }

  /** Makes a scope key the current key, with a new salt. @returns why this key replaced the previous key */
  adopt(next: ScopeKey): RotationReason {
    const reason = this.#current ? reasonToReplace(this.#current, this.#limits, this.#now()) : 'first';
    this.#current = newDataKey(this.scope, next);
    this.#wrappedKey = asWrappedKey(this.scope, next);
    this.hasHadKey = true;
    this.wrapped(next.born);
    return reason;
  }

  /** Records that Cloud KMS has wrapped a key under the key version in use, in a call that began at `started`. */
  wrapped(started: number): void {
    this.#wrapped = started;
    this.refreshed();
  }

  /** Records that Cloud KMS lets this process use the crypto key. */
  refreshed(): void {
    this.#nextRefresh = 0;
    this.#refreshFailure = undefined;
    this.#failure = undefined;
    this.#retireAt = Number.POSITIVE_INFINITY;
    this.#expiresAt = Number.POSITIVE_INFINITY;
    this.#unansweredUntil = 0;
  }

  /** Prevents a refresh for some time. */
  delayRefresh(milliseconds = RETRY_REFRESH_MS): void {
    this.#nextRefresh = this.#now() + milliseconds;
  }

  /** Records a failed call. Caches the error if Cloud KMS rejected the call. */
  failed(error: KmsCodecError): void {
    if (error.retryable) return this.#unanswered();
    this.#failure = { error, until: this.#now() + FAILURE_TTL_MS };
  }

  /** Records that a call begins. If Cloud KMS rejects the call, only earlier confirmations count. */
  asking(): void {
    if (this.#wrappedKey === undefined) return;
    const byWrap = this.#wrapped + this.#limits.revalidateMs;
    this.#confirmedUntil = Math.max(byWrap, this.#decryption.confirmedUntil(this.#wrappedKey));
  }

  /** Records why a refresh failed. If Cloud KMS rejected the refresh, the current scope key is retired. */
  refreshFailed(error: KmsCodecError): void {
    this.#refreshFailure = error.code;
    if (error.retryable) return this.#unanswered();
    if (!this.#current) return;
    const softLimit = this.#current.source.born + this.#limits.softAgeMs;
    const limit = this.isUnreadable ? this.#graceUntil : softLimit;
    this.#retireAt = Math.min(this.#retireAt, limit);
    this.#expiresAt = Math.min(this.#expiresAt, Math.max(limit, this.#confirmedUntil));
  }

  get #mayOnlyEncrypt(): boolean {
    return this.#wrappedKey !== undefined && this.#decryption.refused.isOfEncrypter(this.#wrappedKey);
  }

  get #graceUntil(): number {
    return this.#wrappedKey === undefined ? 0 : this.#decryption.refused.graceUntil(this.#wrappedKey);
  }

  /** Whether this identity lacks the permission to unwrap. Such an identity may still encrypt. */
  get isUnreadable(): boolean {
    return this.refusal === 'permission_denied';
  }

  /** Whether Cloud KMS's last responses let this process encrypt with the current key. */
  #mayEncrypt(now: number): boolean {
    if (this.#wrappedKey === undefined) return false;
    const { refusal } = this;
    // `mayUse` is called first, because it may start a call to Cloud KMS. The caller can then wait for this
    // call and for a refresh concurrently.
    const isReadable = refusal === undefined && this.#decryption.mayUse(this.#wrappedKey, now);
    return (isReadable || this.#isConfirmedByWrap(now) || now < this.#graceUntil) && !this.#mustAsk(now);
  }

  /**
   * Whether successful wraps confirm the current key. If there was no recent wrap, the key still counts as
   * confirmed if Cloud KMS has never let this identity unwrap.
   */
  #isConfirmedByWrap(now: number): boolean {
    return this.isUnreadable && (this.#mayOnlyEncrypt || now < this.#wrapped + this.#limits.revalidateMs);
  }

  /**
   * Whether Cloud KMS must wrap a key before the current key may encrypt. False while Cloud KMS is known to
   * be unavailable.
   */
  #mustAsk(now: number): boolean {
    if (!this.#current || now < this.#unansweredUntil) return false;
    // After a refusal, the current key may still be needed to complete work in progress.
    const isRefused = this.#expiresAt !== Number.POSITIVE_INFINITY;
    if (!isRefused && now >= this.#current.source.born + this.#limits.softAgeMs) return true;
    const isConfirmed = now < Math.max(this.#wrapped + this.#limits.revalidateMs, this.#graceUntil);
    return !isConfirmed && this.isUnreadable;
  }

  #unanswered(): void {
    this.#unansweredUntil = this.#now() + FAILURE_COUNTS_MS;
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }

  #isPastAge(now: number): boolean {
    return (
      this.#current !== undefined &&
      (now >= this.#expiresAt || now - this.#current.source.born >= this.#limits.hardAgeMs)
    );
  }

  /**
   * Returns a data key that may encrypt one more message and comes from the current scope key, or undefined if
   * there is none.
   */
  #withRoom(key: EncryptionKey, bytes: number): EncryptionKey | undefined {
    const { softMessages, softBytes, hardMessages, hardBytes } = this.#limits;
    if (!hasBranchKeys(this.scope)) return hasRoom(key, bytes, hardMessages, hardBytes) ? key : undefined;
    if (hasRoom(key, bytes, softMessages, softBytes)) return key;
    this.#current = newDataKey(this.scope, key.source);
    return this.#current;
  }
}
