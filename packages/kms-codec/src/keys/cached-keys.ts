import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { WrappedKey } from '../crypto/wrapped-key.ts';
import type { KeyVersionAccess } from './key-version-access.ts';

/** An unwrapped key in the cache. */
export interface CachedKey {
  readonly namespace: string;
  readonly wrappedKey: WrappedKey;
  readonly key: KeyObject;
  access: KeyVersionAccess;
  /**
   * The key version that wrapped this key. For this process's own keys, Cloud KMS or the store's key-version
   * proof has confirmed the version. For other keys, `version` is the version that authentic messages name.
   * `version` is undefined before the first authentic message, and `SEVERAL` if messages name different
   * versions.
   */
  version: number | undefined;
  /** Whether this process encrypts or has encrypted with this key. */
  readonly isOwn: boolean;
  /** When Cloud KMS last unwrapped this key itself or, for a key that this process created, wrapped it. */
  confirmed: number;
  used: number;
}

/**
 * The value of `version` if messages name several versions. No key version has this number, because Cloud KMS
 * numbers versions from 1.
 */
export const SEVERAL = 0;

/**
 * A cache of unwrapped keys by the id of their wrapped key. A full cache evicts the key that was used least
 * recently. This process's own keys are kept separately, so that reading many other keys does not evict
 * them.
 */
export class CachedKeys {
  readonly #others: LRUCache<string, CachedKey>;
  readonly #own: LRUCache<string, CachedKey>;
  /**
   * The key that was looked up last, as long as it is cached. Most consecutive messages have the same wrapped
   * key.
   */
  #last: CachedKey | undefined;
  /** The process's own key that was looked up last for encryption. */
  #lastOwn: CachedKey | undefined;

  constructor(max: { readonly own: number; readonly others: number }) {
    const dispose = (removed: CachedKey) => {
      if (this.#last === removed) this.#last = undefined;
      if (this.#lastOwn === removed) this.#lastOwn = undefined;
    };
    this.#others = new LRUCache({ max: max.others, dispose });
    this.#own = new LRUCache({ max: max.own, dispose });
  }

  /** Returns a key, and marks the key as recently used. */
  find(id: string): CachedKey | undefined {
    if (this.#last?.wrappedKey.id !== id) this.#last = this.#own.get(id) ?? this.#others.get(id);
    return this.#last;
  }

  /** Returns one of this process's own keys for encryption, and marks the key as recently used. */
  findOwn(id: string): CachedKey | undefined {
    if (this.#lastOwn?.wrappedKey.id !== id) this.#lastOwn = this.#own.get(id);
    return this.#lastOwn;
  }

  /** Returns one of this process's own keys, without marking the key as recently used. */
  peekOwn(id: string): CachedKey | undefined {
    return this.#own.peek(id);
  }

  /** Returns a key that is not one of this process's own keys, without marking the key as recently used. */
  peekOther(id: string): CachedKey | undefined {
    return this.#others.peek(id);
  }

  all(): CachedKey[] {
    return [...this.#own.values(), ...this.#others.values()];
  }

  set(cached: CachedKey): void {
    const { id } = cached.wrappedKey;
    (cached.isOwn ? this.#others : this.#own).delete(id);
    (cached.isOwn ? this.#own : this.#others).set(id, cached);
  }

  delete({ wrappedKey: { id } }: CachedKey): void {
    this.#others.delete(id);
    this.#own.delete(id);
  }

  clear(): void {
    this.#others.clear();
    this.#own.clear();
  }
}
