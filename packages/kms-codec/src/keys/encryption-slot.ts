import { KmsCodecError, type ReasonCode } from '../errors.ts';
import type { WrappedKey } from './wrapped-key.ts';
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
const GRACE_AFTER_REJECTION_MS = 300_000;

interface SlotOptions {
  readonly limits: DataKeyLimits;
  readonly now: () => number;
  /** Whether processes share the scope's branch keys. */
  readonly isShared: boolean;
  /** Returns why Cloud KMS refuses to unwrap a key, if it does. */
  readonly refusal: (key: WrappedKey) => ReasonCode | undefined;
}

/** The keys that encrypt in one scope: the current data key, its limits, and when to replace it. Makes no call. */
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
  readonly #refusalOf: SlotOptions['refusal'];
  /** The current scope key, as the cache for decryption names it. */
  #wrapped: WrappedKey | undefined;
  #current: EncryptionKey | undefined;
  #isExhausted = false;
  /** After a failed refresh: no further refresh before this time. */
  #nextRefresh = 0;
  #refreshFailure: ReasonCode | undefined;
  /** When the current scope key expires because Cloud KMS rejected its refresh. An outage does not set it. */
  #retireAt = Number.POSITIVE_INFINITY;
  /** The last error that is not retryable, cached for seconds. */
  #failure: { readonly error: KmsCodecError; readonly until: number } | undefined;

  constructor(scope: DataKeyScope, { limits, now, isShared, refusal }: SlotOptions) {
    this.scope = scope;
    this.#limits = limits;
    this.#now = now;
    this.#isShared = isShared;
    this.#refusalOf = refusal;
    this.refreshShare = REFRESH_AT - (isShared ? SHARED_REFRESH_SPREAD : REFRESH_SPREAD) * Math.random();
  }

  /** The scope key that encrypts, also past a hard limit. */
  get current(): ScopeKey | undefined {
    return this.#current?.source;
  }

  /** The scope key that encrypts, unless it is past its age or Cloud KMS refuses to unwrap it. */
  get usable(): ScopeKey | undefined {
    return this.#isPastAge(this.#now()) || this.#refusal !== undefined ? undefined : this.current;
  }

  /** Whether there was a scope key. Without a data key, it has then reached a hard limit. */
  get hasHadKey(): boolean {
    return this.#current !== undefined || this.#isExhausted;
  }

  /**
   * Counts one message of `bytes` for the data key and returns it.
   * @param now the time, which the caller has read for the message
   * @returns undefined past a hard limit
   */
  take(bytes: number, now: number): EncryptionKey | undefined {
    const current = this.#current;
    if (!current || this.#isPastAge(now)) return undefined;
    const key = this.#withRoom(current, bytes);
    if (!key) return undefined;
    key.messages += 1;
    key.bytes += bytes;
    return key;
  }

  /** Returns what to do in the background: let the next key encrypt, or obtain another. */
  due(now: number): 'activate' | 'obtain' | undefined {
    if (!this.#current || this.isRefreshing || now < this.#nextRefresh) return undefined;
    const { softAgeMs } = this.#limits;
    const { next } = this;
    if (next && now < next.created + softAgeMs)
      return isActive(next, softAgeMs, now) ? 'activate' : undefined;
    const isOld = this.#usedShare(this.#current, now) >= this.refreshShare;
    // If Cloud KMS accepts a refused key again, the refresh that failed meanwhile is repeated, too.
    const isDue = isOld || this.#refusal !== undefined || this.#refreshFailure !== undefined;
    return isDue || (this.#isShared && this.sharing === 'unshared') ? 'obtain' : undefined;
  }

  /** The cached error of the last call, if Cloud KMS rejected it. */
  get failure(): KmsCodecError | undefined {
    return this.#failure && this.#now() < this.#failure.until ? this.#failure.error : undefined;
  }

  get state(): EncryptionState {
    if (!this.#current) return { remainingMs: 0, failure: this.#failure?.error.code };
    const { created } = this.#current.source;
    const now = this.#now();
    const refusal = this.#refusal;
    const until = Math.min(this.#retireAt, created + this.#limits.hardAgeMs);
    return {
      remainingMs: refusal === undefined ? Math.max(0, until - now) : 0,
      // The clock of the process that created a shared branch key may be ahead.
      ageMs: Math.max(0, now - created),
      failure: refusal ?? this.#refreshFailure,
    };
  }

  /** Removes the scope key from memory if it is past its age. */
  removeExpired(): void {
    if (!this.#current || !this.#isPastAge(this.#now())) return;
    this.#current = undefined;
    this.#wrapped = undefined;
    this.#isExhausted = true;
  }

  /** Encrypts with a scope key from now on, with a new salt. @returns why it replaced the previous one */
  adopt(next: ScopeKey): RotationReason {
    const reason = this.#current ? this.#reasonToReplace(this.#current) : 'first';
    this.#current = newDataKey(this.scope, next);
    this.#wrapped = asWrappedKey(this.scope, next);
    this.#isExhausted = false;
    this.refreshed();
    return reason;
  }

  /** Records that Cloud KMS has let this process use the crypto key. */
  refreshed(): void {
    this.#nextRefresh = 0;
    this.#refreshFailure = undefined;
    this.#failure = undefined;
    this.#retireAt = Number.POSITIVE_INFINITY;
  }

  /** Starts no refresh for a time. */
  delayRefresh(milliseconds = RETRY_REFRESH_MS): void {
    this.#nextRefresh = this.#now() + milliseconds;
  }

  /** Caches the error if Cloud KMS rejected the call. */
  failed(error: KmsCodecError): void {
    if (!error.retryable) this.#failure = { error, until: this.#now() + FAILURE_TTL_MS };
  }

  /** Records why a refresh failed. If Cloud KMS rejected it, the current scope key is retired. */
  refreshFailed(error: KmsCodecError): void {
    this.#refreshFailure = error.code;
    if (error.retryable || !this.#current || this.#retireAt !== Number.POSITIVE_INFINITY) return;
    const softLimit = this.#current.source.created + this.#limits.softAgeMs;
    this.#retireAt = Math.max(softLimit, this.#now() + GRACE_AFTER_REJECTION_MS);
  }

  get #refusal(): ReasonCode | undefined {
    return this.#wrapped && this.#refusalOf(this.#wrapped);
  }

  /** Returns the used share of the soft limit that is closest; 1 means that it is reached. */
  #usedShare(key: EncryptionKey, now: number): number {
    const age = (now - key.source.created) / this.#limits.softAgeMs;
    if (hasBranchKeys(this.scope)) return age;
    return Math.max(age, key.messages / this.#limits.softMessages, key.bytes / this.#limits.softBytes);
  }

  #isPastAge(now: number): boolean {
    if (!this.#current) return false;
    return now >= this.#retireAt || now - this.#current.source.created >= this.#limits.hardAgeMs;
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
