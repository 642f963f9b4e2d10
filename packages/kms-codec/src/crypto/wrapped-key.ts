import { createHash } from 'node:crypto';
import type { brand } from './plaintext.ts';

/**
 * Maximum length of a wrapped key, in bytes. Cloud KMS returns about 120 bytes for a branch key of 39 bytes.
 * The limit applies to all formats, because the cache of failures keeps wrapped keys.
 */
export const MAX_WRAPPED_KEY_BYTES = 1024;

/** The bytes of a key that Cloud KMS has wrapped. */
export type WrappedKeyBytes = Uint8Array & { readonly [brand]?: 'wrapped key' };

/**
 * A wrapped branch key or data key, and the values that Cloud KMS needs to unwrap it. The namespace's rule
 * must list `cryptoKey`.
 */
export interface WrappedKey {
  /**
   * Identifies the wrapped key in the caches. Unique for each combination of crypto key, AAD and wrapped
   * bytes.
   */
  readonly id: string;
  readonly cryptoKey: string;
  readonly aad: Uint8Array;
  readonly wrapped: WrappedKeyBytes;
  readonly keyVersion?: number | undefined;
  /**
   * Whether this is a branch key, from which data keys are derived, and not a data key. Only branch
   * keys have an AAD.
   */
  readonly isBranchKey: boolean;
}

// Uses Latin-1, which has one character per byte, because a hash would take ten times as long as the lookup.
const latin1 = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/**
 * Returns a wrapped key with its id. The id starts with the lengths of two of its parts, so that different
 * parts never result in the same id.
 */
export function wrappedKey(key: Omit<WrappedKey, 'id'>): WrappedKey {
  const { cryptoKey, aad, wrapped } = key;
  return { ...key, id: `${cryptoKey.length}.${aad.length}.${cryptoKey}${latin1(aad)}${latin1(wrapped)}` };
}

export const WRAPPED_KEY_HASH = /^[0-9a-f]{64}$/;

/** Returns the SHA-256 of a wrapped key as a hex string. The keys file's deny-list contains such hashes. */
export const wrappedKeyHash = (wrapped: WrappedKeyBytes): string =>
  createHash('sha256').update(wrapped).digest('hex');
