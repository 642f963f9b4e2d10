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
  type ScopeKey,
} from './scope-key.ts';
import { isActive, REFRESH_AT, type SharedKeys } from './shared-branch-keys.ts';
import type { WaitBudget } from './wait-budget.ts';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';

/** Why a scope key replaced the previous one. */
export type RotationReason = 'first' | 'age' | 'messages' | 'bytes';

/** What is known about the scope key that encrypts. */
export interface EncryptionState {
  /** For how many milliseconds it may still encrypt; 0 without a key, or while Cloud KMS refuses to unwrap it. */
  readonly remainingMs: number;
  /** Absent without a current scope key. */
  readonly ageMs?: number;
  /** Why the last attempt to replace it failed. */
  readonly failure: ReasonCode | undefined;
}

/** A refresh starts earlier than `REFRESH_AT` by a random part of this. */
const REFRESH_SPREAD = 0.05;
/** With a store: a minute of the default soft age, in which all processes unwrap the next key. */
const SHARED_REFRESH_SPREAD = 1 / 60;
const RETRY_REFRESH_MS = 10_000;
const FAILURE_TTL_MS = 5_000;
/** How long an encode waits for Cloud KMS where it must not use the current key before, in ms. */
const SLOW_MS = 1_000;
/** The part of `revalidateMs` after which an identity that may only encrypt wraps a key again. */
const WRAP_AGAIN_AT = 0.65;

/**
 * The keys that encrypt in one scope: the current data key, its limits, and when to replace it. Makes no call.
 *
 * A key encrypts only while Cloud KMS lets this process use it: it has confirmed that within `revalidateMs`, and its age is
 * below the soft age. Beyond either, an encode waits for Cloud KMS, and continues only if that does not answer, or if it
 * refuses another key while its last confirmation of this one counts.
 */
export class EncryptionSlot {
  readonly scope: DataKeyScope;
  /** The part of a soft limit at which a refresh starts: random, so that a fleet does not call Cloud KMS at once. */
  readonly refreshShare: number;
  /** A branch key of the store that replaces the current one later. Every process has unwrapped it by then. */
  next: ScopeKey | undefined;
  sharing: SharedKeys['sharing'] = 'unshared';
  isRefreshing = false;
  readonly #limits: DataKeyLimits;
  readonly #now: () => number;
  readonly #isShared: boolean;
  readonly #decryption: DecryptionKeys;
  /** The current scope key, as the cache for decryption names it. */
  #wrappedKey: WrappedKey | undefined;
  #current: EncryptionKey | undefined;
  #isExhausted = false;
  /** After a failed refresh: no further refresh before this time. */
  #nextRefresh = 0;
  #refreshFailure: ReasonCode | undefined;
  /** From when on the process counts as without a key, because Cloud KMS rejected its refresh. An outage does not set it. */
  #retireAt = Number.POSITIVE_INFINITY;
  /** When the current scope key expires then: it may be later, to complete what is in progress. */
  #expiresAt = Number.POSITIVE_INFINITY;
  /** Until when Cloud KMS's last confirmation of the current scope key before the last call counts. */
  #confirmedUntil = 0;
  /** When the last call began in which Cloud KMS wrapped a key under the key version of the current scope key. */
  #wrapped = 0;
  /** Cloud KMS counts as unavailable until then. */
  #unansweredUntil = 0;
  /** The encodes that wait for the refresh. */
  readonly #waiting = new Set<() => void>();
  /** The last error that is not retryable, cached for seconds. */
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

  /** The scope key that encrypts, also past a hard limit. */
  get current(): ScopeKey | undefined {
    return this.#current?.source;
  }

  /** The current scope key, as the cache for decryption names it. */
  get wrappedKey(): WrappedKey | undefined {
    return this.#wrappedKey;
  }

  /** The scope key that encrypts, unless it is past its age or Cloud KMS refuses to unwrap it. */
  get usable(): ScopeKey | undefined {
    return this.#isPastAge(this.#now()) || this.refusal !== undefined ? undefined : this.current;
  }

  /** Why Cloud KMS refuses to unwrap the scope key that encrypts, if it does. */
  get refusal(): ReasonCode | undefined {
    return this.#wrappedKey && this.#decryption.refused.codeOf(this.#wrappedKey);
  }

  /**
   * The current key, if only an answer to a wrap can confirm that it may encrypt, since this identity may not unwrap, and
   * no other key is due.
   */
  get confirmedByWrap(): ScopeKey | undefined {
    const isDue = this.#current && this.#usedShare(this.#current, this.#now()) >= this.refreshShare;
    return this.isUnreadable && !isDue ? this.current : undefined;
  }

  /** Whether there was a scope key. Without a data key, it has then reached a hard limit. */
  get hasHadKey(): boolean {
    return this.#current !== undefined || this.#isExhausted;
  }

  /**
   * Counts one message of `bytes` for the data key and returns it.
   * @param now the time, which the caller has read for the message
   * @returns undefined past a hard limit, and where Cloud KMS must answer before
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

  /** Returns what to do in the background: let the next key encrypt, or obtain another. */
  due(now: number): 'activate' | 'obtain' | undefined {
    if (!this.#current || this.isRefreshing) return undefined;
    const mustAsk = this.#mustAsk(now);
    if (now < this.#nextRefresh && !mustAsk) return undefined;
    const { softAgeMs } = this.#limits;
    const { next, refusal } = this;
    if (next && refusal === undefined && now < next.born + softAgeMs) {
      if (isActive(next, softAgeMs, now)) return 'activate';
      if (!mustAsk) return undefined;
    }
    const isOld = this.#usedShare(this.#current, now) >= this.refreshShare;
    const isRefused = this.isUnreadable
      ? now >= this.#wrapped + WRAP_AGAIN_AT * this.#limits.revalidateMs
      : refusal !== undefined;
    // If Cloud KMS accepts a refused key again, the refresh that failed meanwhile is repeated, too.
    const isDue = mustAsk || isOld || isRefused || this.#refreshFailure !== undefined;
    return isDue || (this.#isShared && this.sharing === 'unshared') ? 'obtain' : undefined;
  }

  /**
   * Waits until the refresh has an answer of Cloud KMS or has failed, for a second at most: then Cloud KMS counts as
   * unavailable.
   * @returns undefined if the current key does not wait for a refresh
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

  /** The cached error of the last call, if Cloud KMS rejected it. */
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

  /** Removes the scope key from memory if it is past its age. */
  removeExpired(): void {
    if (!this.#current || !this.#isPastAge(this.#now())) return;
    this.#current = undefined;
    this.#wrappedKey = undefined;
    this.#isExhausted = true;
  }

  /** Encrypts with a scope key from now on, with a new salt. @returns why it replaced the previous one */
  adopt(next: ScopeKey): RotationReason {
    const reason = this.#current ? this.#reasonToReplace(this.#current) : 'first';
    this.#current = newDataKey(this.scope, next);
    this.#wrappedKey = asWrappedKey(this.scope, next);
    this.#isExhausted = false;
    this.wrapped(next.born);
    return reason;
  }

  /** Records that Cloud KMS has wrapped a key under the key version in use, in a call that began at `started`. */
  wrapped(started: number): void {
    this.#wrapped = started;
    this.refreshed();
  }

  /** Records that Cloud KMS has let this process use the crypto key. */
  refreshed(): void {
    this.#nextRefresh = 0;
    this.#refreshFailure = undefined;
    this.#failure = undefined;
    this.#retireAt = Number.POSITIVE_INFINITY;
    this.#expiresAt = Number.POSITIVE_INFINITY;
    this.#unansweredUntil = 0;
  }

  /** Starts no refresh for a time. */
  delayRefresh(milliseconds = RETRY_REFRESH_MS): void {
    this.#nextRefresh = this.#now() + milliseconds;
  }

  /** Records the failure of a call: caches it if Cloud KMS rejected the call. */
  failed(error: KmsCodecError): void {
    if (error.retryable) return this.#unanswered();
    this.#failure = { error, until: this.#now() + FAILURE_TTL_MS };
  }

  /** Records that a call begins: if Cloud KMS rejects it, only what it has confirmed before counts. */
  asking(): void {
    if (this.#wrappedKey === undefined) return;
    const byWrap = this.#wrapped + this.#limits.revalidateMs;
    this.#confirmedUntil = Math.max(byWrap, this.#decryption.confirmedUntil(this.#wrappedKey));
  }

  /** Records why a refresh failed. If Cloud KMS rejected it, the current scope key is retired. */
  refreshFailed(error: KmsCodecError): void {
    this.#refreshFailure = error.code;
    if (error.retryable) this.#unanswered();
    if (error.retryable || !this.#current) return;
    const softLimit = this.#current.source.born + this.#limits.softAgeMs;
    const limit = Math.max(this.isUnreadable ? this.#graceUntil : softLimit, this.#now());
    this.#retireAt = Math.min(this.#retireAt, limit);
    this.#expiresAt = Math.min(this.#expiresAt, Math.max(limit, this.#confirmedUntil));
  }

  get #mayOnlyEncrypt(): boolean {
    return this.#wrappedKey !== undefined && this.#decryption.refused.isOfEncrypter(this.#wrappedKey);
  }

  get #graceUntil(): number {
    return this.#wrappedKey === undefined ? 0 : this.#decryption.refused.graceUntil(this.#wrappedKey);
  }

  /** Whether this identity may not unwrap. It may still encrypt. */
  get isUnreadable(): boolean {
    return this.refusal === 'permission_denied';
  }

  /** Whether Cloud KMS lets this process encrypt with the current key, as far as is known. */
  #mayEncrypt(now: number): boolean {
    if (this.#wrappedKey === undefined) return false;
    const { refusal } = this;
    // Asks in any case, so that the caller waits for this answer and for that of a refresh at the same time.
    const isReadable = refusal === undefined && this.#decryption.mayUse(this.#wrappedKey, now);
    return (isReadable || this.#isConfirmedByWrap(now) || now < this.#graceUntil) && !this.#mustAsk(now);
  }

  /** Whether wraps confirm the current key. An outage counts only for an identity that Cloud KMS has never let unwrap. */
  #isConfirmedByWrap(now: number): boolean {
    return this.isUnreadable && (this.#mayOnlyEncrypt || now < this.#wrapped + this.#limits.revalidateMs);
  }

  /** Whether Cloud KMS must wrap a key before the current one encrypts, because it answers, as far as is known. */
  #mustAsk(now: number): boolean {
    if (!this.#current || now < this.#unansweredUntil) return false;
    // After a refusal, the current key may have to complete what is in progress.
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

  /** Returns the used share of the soft limit that is closest; 1 means that it is reached. */
  #usedShare(key: EncryptionKey, now: number): number {
    const age = (now - key.source.born) / this.#limits.softAgeMs;
    if (hasBranchKeys(this.scope)) return age;
    return Math.max(age, key.messages / this.#limits.softMessages, key.bytes / this.#limits.softBytes);
  }

  #isPastAge(now: number): boolean {
    if (!this.#current) return false;
    return now >= this.#expiresAt || now - this.#current.source.born >= this.#limits.hardAgeMs;
  }

  /** Returns a data key of the current scope key that may encrypt one more message, if there is one. */
  #withRoom(key: EncryptionKey, bytes: number): EncryptionKey | undefined {
    const { softMessages, softBytes, hardMessages, hardBytes } = this.#limits;
    if (!hasBranchKeys(this.scope)) return hasRoom(key, bytes, hardMessages, hardBytes) ? key : undefined;
    if (hasRoom(key, bytes, softMessages, softBytes)) return key;
    this.#current = newDataKey(this.scope, key.source);
    return this.#current;
  }

  #reasonToReplace(key: EncryptionKey): RotationReason {
    if (hasBranchKeys(this.scope)) return 'age';
    const share = this.#usedShare(key, this.#now());
    if (key.messages / this.#limits.softMessages === share) return 'messages';
    return key.bytes / this.#limits.softBytes === share ? 'bytes' : 'age';
  }
}
