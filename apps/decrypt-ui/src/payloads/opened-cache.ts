import type { DecodeResult } from '@temporal-kms/codec-api';
import { LRUCache } from 'lru-cache';

type Opened = Extract<DecodeResult, { ok: true }>;

interface OpenedState {
  readonly status: 'answered';
  readonly result: Opened;
}

/** A JavaScript string takes two bytes a character; the rest is a guess at objects and keys. */
const OVERHEAD = 512;
const sizeOf = ({ payload }: Opened) =>
  OVERHEAD + 2 * (payload.data.length + JSON.stringify(payload.metadata).length);

export type OpenedCache = ReturnType<typeof createOpenedCache>;

/**
 * Plaintext that was in view and may be again. It is bounded by bytes, lives in this page's memory alone, and is
 * forgotten when its namespace is left.
 */
export function createOpenedCache(maxBytes = 32 * 1024 * 1024) {
  const entries = new LRUCache<string, OpenedState>({
    maxSize: maxBytes,
    maxEntrySize: maxBytes / 4,
    sizeCalculation: ({ result }) => sizeOf(result),
  });
  return {
    /** One object as long as the entry is. */
    get: (key: string) => entries.get(key),
    /** The same, without counting as a use. */
    peek: (key: string) => entries.peek(key),
    set: (key: string, result: Opened) => {
      entries.set(key, { status: 'answered', result });
    },
    forget: (prefix: string) => {
      for (const key of entries.keys()) {
        if (key.startsWith(prefix)) entries.delete(key);
      }
    },
    get bytes() {
      return entries.calculatedSize;
    },
  };
}
