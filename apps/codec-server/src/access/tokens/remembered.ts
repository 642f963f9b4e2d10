import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

const REMEMBER_MS = 60_000;
const MAX_TOKENS = 10_000;

interface Expires {
  /** Milliseconds since 1970. */
  readonly expiresAt?: number;
}

/**
 * What checked tokens have led to (a caller's name, subject and grants), for a minute and never past their expiry. The
 * entries are kept by the token's SHA-256, so that a dump of the heap has no token once its request has ended; an entry
 * that has ended stays until `max` others or the same token replace it.
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
