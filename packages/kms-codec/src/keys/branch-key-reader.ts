import { LRUCache } from 'lru-cache';
import { BranchKeyStoreError } from '../branch-keys/store.ts';
import { KmsCodecError } from '../errors.ts';
import type { DataKeyScope } from './scope-key.ts';
import type { SharedBranchKeys } from './shared-branch-keys.ts';
import { WaitBudget } from './wait-budget.ts';

interface Followed {
  readonly scope: DataKeyScope;
  isLoading: boolean;
  /** The store is not queried before this time. */
  nextLoad: number;
}

/** The shortest time between two requests to the store, in ms. */
const LOAD_EVERY_MS = 60_000;
/** How long an attempt to unwrap a key retries. No caller waits for it. */
const BUDGET_MS = 10_000;

/**
 * Unwraps the branch keys in the store for a process that reads in a namespace and does not encrypt, such as a codec
 * server: before any process encrypts with them, so it can read the messages even if Cloud KMS is unavailable by then.
 */
export class BranchKeyReader {
  readonly #shared: SharedBranchKeys;
  readonly #now: () => number;
  readonly #followed: LRUCache<string, Followed>;

  constructor(shared: SharedBranchKeys, maxScopes: number, now: () => number) {
    this.#shared = shared;
    this.#now = now;
    this.#followed = new LRUCache({ max: maxScopes });
  }

  /** Unwraps the keys of a scope from now on. */
  follow(scope: DataKeyScope): void {
    if (this.#followed.has(scope.id)) return;
    this.#followed.set(scope.id, { scope, isLoading: false, nextLoad: 0 });
  }

  /**
   * Unwraps what the store has if a new key can be expected. @param encrypts whether a scope's keys are in use anyway
   */
  maintain(encrypts: (scope: DataKeyScope) => boolean): void {
    for (const followed of this.#followed.values()) {
      const { scope, isLoading, nextLoad } = followed;
      if (!isLoading && this.#now() >= nextLoad && !encrypts(scope)) void this.#load(followed);
    }
  }

  async #load(followed: Followed): Promise<void> {
    followed.isLoading = true;
    let expected = 0;
    try {
      expected = await this.#shared.unwrapStored(followed.scope, new WaitBudget(BUDGET_MS));
    } catch (error) {
      // The store, or the call to Cloud KMS, has been reported. Messages are read as without a store.
      if (!(error instanceof BranchKeyStoreError || error instanceof KmsCodecError)) throw error;
    } finally {
      followed.nextLoad = Math.max(expected, this.#now() + LOAD_EVERY_MS);
      followed.isLoading = false;
    }
  }
}
