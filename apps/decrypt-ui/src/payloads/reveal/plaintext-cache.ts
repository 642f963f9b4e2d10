import type { DecodeResult, PayloadRef } from '@temporal-kms/codec-api';
import type { RunAddress } from '../../session/server/addresses.ts';
import { createSizedLru } from './sized-lru.ts';

type Decoded = Extract<DecodeResult, { ok: true }>;

/** The state of a decoded payload; one object for as long as the cache keeps the entry. */
interface DecodedState {
  readonly status: 'answered';
  readonly result: Decoded;
}

/** A JavaScript string takes two bytes per character; the rest is an estimate for objects and keys. */
const OVERHEAD = 512;
const sizeOf = ({ payload }: Decoded) =>
  OVERHEAD + 2 * (payload.data.length + JSON.stringify(payload.metadata).length);

export type PlaintextCache = ReturnType<typeof createPlaintextCache>;

/**
 * A bounded cache of decoded payloads, so that scrolling back does not decode them again. Plaintext lives in this page's
 * memory only, and `forget` drops it when the reader leaves its namespace.
 */
export function createPlaintextCache(maxBytes = 32 * 1024 * 1024) {
  const entries = createSizedLru<DecodedState>(maxBytes, ({ result }) => sizeOf(result));
  const listeners = new Set<() => void>();
  return {
    get: (key: string) => entries.get(key),
    /** Reads an entry without counting as a use of it. */
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
    /** Removes all plaintext, here and from the pages that show it. */
    clear: () => {
      entries.clear();
      for (const listener of listeners) listener();
    },
    /** Calls the listener when all plaintext must go, until the returned function is called. */
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
 * The cache key of a payload. What was decrypted for one reveal is not shown for another: then the audit would not contain
 * the justification of the other.
 *
 * @param scope as `runScope` returns it
 * @param grant the id of the reveal; absent where the namespace reveals automatically
 */
export const payloadKey = (scope: string, ref: PayloadRef, grant?: string) =>
  `${scope} ${ref}${grant === undefined ? '' : grantSuffix(grant)}`;

const grantSuffix = (id: string) => ` #${id}`;

/** The prefix of the cache keys of a run's payloads. */
export const runScope = ({ namespace, workflowId, runId, file }: RunAddress) =>
  JSON.stringify([namespace, workflowId, runId, ...(file ? [file.id] : [])]);

/** The prefix of the cache keys of all payloads of a namespace: the beginning of `runScope`. */
export const namespaceScope = (namespace: string) => `${JSON.stringify([namespace]).slice(0, -1)},`;
