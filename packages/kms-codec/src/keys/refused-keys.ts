import { LRUCache } from 'lru-cache';
import { KmsCodecError, type ReasonCode } from '../errors.ts';
import { WaitBudget } from './wait-budget.ts';
import type { WrappedKey } from './wrapped-key.ts';

/** A key of this process that Cloud KMS has refused to unwrap. */
interface RefusedKey {
  readonly namespace: string;
  readonly wrappedKey: WrappedKey;
  code: ReasonCode;
  /** Cloud KMS is not asked before this time. */
  nextAttempt: number;
  isAsking: boolean;
}

/** How often Cloud KMS is asked whether it unwraps a refused key of this process again. */
const ASK_AGAIN_MS = 10_000;
/** How long such an attempt retries. No caller waits for it. */
const ASK_BUDGET_MS = 10_000;

/** Asks Cloud KMS to unwrap a key. @throws KmsCodecError why it does not */
type Unwrap = (namespace: string, wrappedKey: WrappedKey, waitBudget: WaitBudget) => Promise<unknown>;

/** The keys of this process that Cloud KMS has refused, until it unwraps a key of their version. */
export class RefusedKeys {
  readonly #keys: LRUCache<string, RefusedKey>;
  readonly #unwrap: Unwrap;
  readonly #now: () => number;

  constructor(max: number, unwrap: Unwrap, now: () => number) {
    this.#keys = new LRUCache({ max });
    this.#unwrap = unwrap;
    this.#now = now;
  }

  codeOf({ id }: WrappedKey): ReasonCode | undefined {
    return this.#keys.peek(id)?.code;
  }

  add(namespace: string, wrappedKey: WrappedKey, code: ReasonCode): void {
    const nextAttempt = this.#now() + ASK_AGAIN_MS;
    this.#keys.set(wrappedKey.id, { namespace, wrappedKey, code, nextAttempt, isAsking: false });
  }

  /** Notes that Cloud KMS has unwrapped a key: it does so for all keys of the same version. */
  accept({ cryptoKey, keyVersion }: WrappedKey): void {
    for (const [id, { wrappedKey: refused }] of this.#keys.entries()) {
      if (refused.cryptoKey === cryptoKey && refused.keyVersion === keyVersion) this.#keys.delete(id);
    }
  }

  /** Asks whether Cloud KMS unwraps refused keys again. A process that has stopped to work needs no key otherwise. */
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
      refused.code = error.code;
    } finally {
      refused.isAsking = false;
      refused.nextAttempt = this.#now() + ASK_AGAIN_MS;
    }
  }
}
