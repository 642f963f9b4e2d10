import type { DecodeResult, PayloadRef } from '@temporal-kms/codec-api';
import type { RunAddress } from '../../session/server/addresses.ts';
import { createSizedLru } from './sized-lru.ts';

type Decoded = Extract<DecodeResult, { ok: true }>;

/** The state of a decoded payload. The object stays the same while the cache keeps the entry. */
interface DecodedState {
  readonly status: 'answered';
  readonly result: Decoded;
}

/** Estimated bytes per entry for objects and keys, in addition to two bytes per character of strings. */
const OVERHEAD = 512;
const sizeOf = ({ payload }: Decoded) =>
  OVERHEAD + 2 * (payload.data.length + JSON.stringify(payload.metadata).length);

export type PlaintextCache = ReturnType<typeof createPlaintextCache>;

/**
 * Creates a bounded cache of decoded payloads, so that scrolling back does not decode them again. Plaintext
 * is only in this page's memory, and `forget` drops it when the user leaves the namespace.
 */
export function createPlaintextCache(maxBytes = 32 * 1024 * 1024) {
  const entries = createSizedLru<DecodedState>(maxBytes, ({ result }) => sizeOf(result));
  const listeners = new Set<() => void>();
  return {
    get: (key: string) => entries.get(key),
    /** Reads an entry without marking it as used. */
    peek: (key: string) => entries.peek(key),
    set: (key: string, result: Decoded) => {
      entries.set(key, { status: 'answered', result });
    },
    /** Removes every entry whose key starts with the prefix. */
    forget: (prefix: string) => {
      for (const key of entries.keys()) {
        if (key.startsWith(prefix)) entries.delete(key);
      }
    },
    /** Removes every entry that was decrypted for a reveal. */
    forgetGrant: (id: string) => {
      const suffix = grantSuffix(id);
      for (const key of entries.keys()) {
        if (key.endsWith(suffix)) entries.delete(key);
      }
    },
    /** Removes all plaintext from the cache, and from the pages that show it. */
    clear: () => {
      entries.clear();
      for (const listener of listeners) listener();
    },
    /** Calls the listener when all plaintext must be dropped, until the returned function is called. */
    onClear: (listener: () => void): (() => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get bytes() {
      return entries.size;
    },
  };
}

/**
 * Returns a payload's cache key. Plaintext decrypted for one reveal is never shown for another, because the audit
 * would then lack the other reveal's justification.
 *
 * @param scope as `runScope` returns it
 * @param grant the id of the reveal; absent if the namespace reveals automatically
 */
export const payloadKey = (scope: string, ref: PayloadRef, grant?: string) =>
  `${scope} ${ref}${grant === undefined ? '' : grantSuffix(grant)}`;

const grantSuffix = (id: string) => ` #${id}`;

/** Returns the prefix of the cache keys of a run's payloads. */
export const runScope = ({ namespace, workflowId, runId, file, schedule }: RunAddress) =>
  JSON.stringify([
    namespace,
    workflowId,
    runId,
    ...(file ? [file.id] : []),
    ...(schedule ? ['schedule'] : []),
  ]);

/**
 * Returns the prefix of the cache keys of all payloads of a namespace. Every result of `runScope` for the
 * namespace begins with the prefix.
 */
export const namespaceScope = (namespace: string) => `${JSON.stringify([namespace]).slice(0, -1)},`;
