import { LRUCache } from 'lru-cache';
import { KmsCodecError, type ReasonCode } from '../errors.ts';
import { WaitBudget } from './wait-budget.ts';
import type { WrappedKey } from '../crypto/wrapped-key.ts';

/** One of this process's own keys, which Cloud KMS has refused to unwrap. */
interface RefusedKey {
  readonly namespace: string;
  readonly wrappedKey: WrappedKey;
  code: ReasonCode;
  /** The confirmation before the refusal is valid until this time, so that work in progress can complete. */
  readonly graceUntil: number;
  /** No attempt to unwrap the key starts before this time. */
  nextAttempt: number;
  isAsking: boolean;
}

/** Interval between attempts to unwrap a refused key, in ms. */
const ASK_AGAIN_MS = 10_000;
/** Interval between attempts to unwrap a refused key if the identity may only encrypt, in ms. */
const ASK_ENCRYPTER_MS = 240_000;
/**
 * Time limit of an attempt to unwrap a refused key, including its retries, in ms. No caller waits for the
 * result.
 */
const ASK_BUDGET_MS = 10_000;

/**
 * Makes Cloud KMS unwrap a key.
 * @throws KmsCodecError whose code is the reason why Cloud KMS did not unwrap the key
 */
type Unwrap = (namespace: string, wrappedKey: WrappedKey, waitBudget: WaitBudget) => Promise<unknown>;

/** This process's own keys that Cloud KMS has refused. A key is removed once Cloud KMS unwraps it again. */
export class RefusedKeys {
  readonly #keys: LRUCache<string, RefusedKey>;
  readonly #unwrap: Unwrap;
  readonly #now: () => number;
  /** The crypto keys with which Cloud KMS has ever unwrapped a key for this process. */
  readonly readable = new Set<string>();

  constructor(max: number, unwrap: Unwrap, now: () => number) {
    this.#keys = new LRUCache({ max });
    this.#unwrap = unwrap;
    this.#now = now;
  }

  /** Returns why Cloud KMS does not unwrap the key, or undefined if Cloud KMS has not refused the key. */
  codeOf({ id }: WrappedKey): ReasonCode | undefined {
    return this.#keys.size === 0 ? undefined : this.#keys.peek(id)?.code;
  }

  /**
   * Returns whether this identity may only encrypt: it has no permission to unwrap, and has not had it
   * since the process started.
   */
  isOfEncrypter(own: WrappedKey): boolean {
    return this.codeOf(own) === 'permission_denied' && !this.readable.has(own.cryptoKey);
  }

  /** Returns the time until which this process may still encrypt with a refused key. */
  graceUntil({ id }: WrappedKey): number {
    return this.#keys.peek(id)?.graceUntil ?? 0;
  }

  find({ id }: WrappedKey): Pick<RefusedKey, 'namespace' | 'wrappedKey'> | undefined {
    return this.#keys.peek(id);
  }

  add(namespace: string, wrappedKey: WrappedKey, code: ReasonCode, graceUntil = 0): void {
    const nextAttempt = this.#now() + ASK_AGAIN_MS;
    this.#keys.set(wrappedKey.id, { namespace, wrappedKey, code, graceUntil, nextAttempt, isAsking: false });
  }

  /** Records that Cloud KMS has unwrapped a key. */
  accept({ cryptoKey, id }: WrappedKey): void {
    this.readable.add(cryptoKey);
    this.#keys.delete(id);
  }

  /** Forgets a key that no longer encrypts. */
  delete({ id }: WrappedKey): void {
    this.#keys.delete(id);
  }

  /**
   * Tries to unwrap refused keys again. Without these attempts, a process that has stopped its work because
   * of the refusal would make no calls, and would not notice that Cloud KMS accepts the key again.
   */
  askAgain(): void {
    for (const refused of this.#keys.values()) void this.#ask(refused);
  }

  clear(): void {
    this.#keys.clear();
  }

  async #ask(refused: RefusedKey): Promise<void> {
    if (refused.isAsking || this.#now() < refused.nextAttempt) return;
    refused.isAsking = true;
    try {
      await this.#unwrap(refused.namespace, refused.wrappedKey, new WaitBudget(ASK_BUDGET_MS));
    } catch (error) {
      if (!(error instanceof KmsCodecError)) throw error;
      if (!error.retryable) refused.code = error.code;
    } finally {
      refused.isAsking = false;
      refused.nextAttempt =
        this.#now() + (this.isOfEncrypter(refused.wrappedKey) ? ASK_ENCRYPTER_MS : ASK_AGAIN_MS);
    }
  }
}
