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

/** Minimum time between two requests to the store, in ms. */
const LOAD_EVERY_MS = 60_000;
/** How long the reader keeps trying to unwrap a key, in ms. No caller waits for the result. */
const BUDGET_MS = 10_000;

/**
 * Unwraps the branch keys in the store before any process encrypts with them. This reader is for a process
 * that reads a namespace's messages but does not encrypt there, such as a codec server. The process can then
 * read the messages even during a Cloud KMS outage.
 */
export class BranchKeyReader {
  readonly #shared: Pick<SharedBranchKeys, 'unwrapStored'>;
  readonly #now: () => number;
  readonly #followed: LRUCache<string, Followed>;

  constructor(shared: Pick<SharedBranchKeys, 'unwrapStored'>, maxScopes: number, now: () => number) {
    this.#shared = shared;
    this.#now = now;
    this.#followed = new LRUCache({ max: maxScopes });
  }

  /** Starts to follow the scope: from now on, `maintain` unwraps each key that appears in the store. */
  follow(scope: DataKeyScope): void {
    if (this.#followed.has(scope.id)) return;
    this.#followed.set(scope.id, { scope, isLoading: false, nextLoad: 0 });
  }

  /**
   * Loads and unwraps the stored keys of the scopes in which a new key can be expected.
   * @param encrypts returns whether this process encrypts in a scope and therefore loads its keys anyway
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
      // The observer has already been notified of this failure. Messages can still be read, as without a
      // store.
      if (!(error instanceof BranchKeyStoreError || error instanceof KmsCodecError)) throw error;
    } finally {
      followed.nextLoad = Math.max(expected, this.#now() + LOAD_EVERY_MS);
      followed.isLoading = false;
    }
  }
}
