import type { KeyObject } from 'node:crypto';
import { DirectCalls } from '../keys/direct-calls.ts';
import { CallLanes } from '../keys/call-lanes.ts';
import type { KeyService } from '../keys/key-service.ts';
import type { DataKeyLimits } from '../keys/limits.ts';
import { OpenedKeys, type WrappedKey } from '../keys/opened-keys.ts';
import { type SealingKey, SealingKeys, type SealingPurpose } from '../keys/sealing-keys.ts';
import type { Observer } from '../observer.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { Scope } from './scope.ts';

/** The keys that the formats work with, behind what they need of them. */
export class DataKeys {
  readonly direct: DirectCalls;
  readonly #opened: OpenedKeys;
  readonly #sealing: SealingKeys;

  constructor(keyService: KeyService, limits: DataKeyLimits, observer: Observer, now: () => number) {
    const lanes = new CallLanes(limits.callsInFlight);
    this.direct = new DirectCalls(keyService, lanes, observer);
    this.#opened = new OpenedKeys(keyService, lanes, limits, observer, now);
    this.#sealing = new SealingKeys(keyService, lanes, this.#opened, limits, observer, now);
  }

  /** Calls `use` with the opened data key: at once when it is at hand. The allow-list has been asked before. */
  withOpened<T>(scope: Scope, wanted: WrappedKey, use: (key: KeyObject) => MaybePromise<T>): MaybePromise<T> {
    const { namespace } = scope.rule;
    const key = this.#opened.peek(namespace, wanted);
    return key ? use(key) : this.#opened.unwrap(namespace, wanted, scope.waitBudget).then(use);
  }

  isOpened(wanted: WrappedKey): boolean {
    return this.#opened.isOpened(wanted);
  }

  /** Whether a refusal is remembered, so that Cloud KMS isn't asked. */
  isRefused(wanted: WrappedKey): boolean {
    return this.#opened.isRefused(wanted);
  }

  /** Calls `use` with a data key for one more message of `bytes`: at once from the second message on. */
  withSealing<T>(
    scope: Scope,
    purpose: SealingPurpose,
    bytes: number,
    use: (key: SealingKey) => T,
  ): MaybePromise<T> {
    const key = this.#sealing.take(purpose, bytes);
    return key ? use(key) : this.#sealing.takeOrWait(purpose, bytes, scope.waitBudget).then(use);
  }

  /** Gets the first data key without sealing anything. */
  async warm(scope: Scope, purpose: SealingPurpose): Promise<void> {
    await this.#sealing.warm(purpose, scope.waitBudget);
  }

  maintain(): void {
    this.#opened.purge();
    this.#sealing.maintain();
  }

  clear(): void {
    this.#opened.clear();
    this.#sealing.clear();
  }
}
