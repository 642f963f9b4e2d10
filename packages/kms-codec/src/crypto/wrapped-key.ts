import { createHash } from 'node:crypto';

/** Cloud KMS wraps 39 bytes into about 120. Cached failures keep the wrapped key, so all formats have this limit. */
export const MAX_WRAPPED_KEY_BYTES = 1024;

/** A wrapped branch key or data key and what Cloud KMS needs to unwrap it. The namespace's rule lists its crypto key. */
export interface WrappedKey {
  /** Identifies the wrapped key in the caches. Distinct for each triple of crypto key, AAD and wrapped bytes. */
  readonly id: string;
  readonly cryptoKey: string;
  readonly aad: Uint8Array;
  readonly wrapped: Uint8Array;
  readonly keyVersion?: number | undefined;
  /** Whether data keys are derived from it; else it is a data key. Only branch keys have an AAD. */
  readonly isBranchKey: boolean;
}

// Latin-1 has one character per byte. A hash would take ten times as long as the lookup.
const latin1 = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** Returns a wrapped key with its id. The id starts with the lengths of its parts, so no two triples share one. */
export function wrappedKey(key: Omit<WrappedKey, 'id'>): WrappedKey {
  const { cryptoKey, aad, wrapped } = key;
  return { ...key, id: `${cryptoKey.length}.${aad.length}.${cryptoKey}${latin1(aad)}${latin1(wrapped)}` };
}

/** The form of a {@link wrappedKeyHash}. */
export const WRAPPED_KEY_HASH = /^[0-9a-f]{64}$/;

/** Returns the SHA-256 of a wrapped key in hexadecimal digits, by which the keys file denies it. */
export const wrappedKeyHash = (wrapped: Uint8Array): string =>
  createHash('sha256').update(wrapped).digest('hex');
