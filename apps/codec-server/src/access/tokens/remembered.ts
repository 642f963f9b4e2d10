import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

const REMEMBER_MS = 60_000;
const MAX_TOKENS = 10_000;

interface Expires {
  /** Milliseconds since 1970. */
  readonly expiresAt?: number;
}

/**
 * What checked tokens have led to, for a minute and never past their expiry. By SHA-256: a dump of this process's
 * memory shall hold no token longer than its request.
 */
export class Remembered<T extends Expires> {
  readonly #entries: LRUCache<string, { readonly value: T; readonly until: number }>;
  readonly #now: () => number;

  constructor(now: () => number, max = MAX_TOKENS) {
    this.#entries = new LRUCache({ max });
    this.#now = now;
  }

  get(token: string, check: (token: string) => Promise<T>): T | Promise<T> {
    const id = hash('sha256', token, 'base64');
    const known = this.#entries.get(id);
    return known && this.#now() < known.until ? known.value : this.#checked(id, token, check);
  }

  async #checked(id: string, token: string, check: (token: string) => Promise<T>): Promise<T> {
    const value = await check(token);
    this.#entries.set(id, {
      value,
      until: Math.min(this.#now() + REMEMBER_MS, value.expiresAt ?? Infinity),
    });
    return value;
  }
}
