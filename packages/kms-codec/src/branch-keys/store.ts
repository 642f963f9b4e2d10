import { keyId, namespaceTag } from '../crypto/tags.ts';

/** Limit on the size of a stored value, in bytes. The largest valid entry has about 3 KiB. */
export const MAX_VALUE_BYTES = 8 * 1024;

/** The expected generation to pass to `replace` if the value does not exist yet. */
export const ABSENT = 'absent';

/** A stored value and its generation. Each `replace` changes the generation. */
export interface StoredValue {
  readonly value: Uint8Array;
  /** Identifies this version of the value. Never `absent`. */
  readonly generation: string;
}

/**
 * A store in which processes share their wrapped branch keys. A store contains one small value for each
 * crypto key and namespace. Nothing in a store is secret or trusted, and if a store is lost, no payload is
 * lost. Implementations throw only `BranchKeyStoreError`.
 */
export interface BranchKeyStore {
  /**
   * Returns a value, or undefined if it does not exist. May truncate a value above 8 KiB, because such a
   * value is malformed anyway.
   * @param id hexadecimal digits and `-`
   */
  load(id: string): Promise<StoredValue | undefined>;
  /**
   * Writes a value if the stored value still has the expected generation.
   * @param expected the generation that `load` returned, or `absent`
   * @returns false if another process has replaced the value in the meantime
   */
  replace(id: string, value: Uint8Array, expected: string): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Why a store or a stored value cannot be used.
 *
 * - `unavailable`: the store did not respond in time, or responded with an error
 * - `not_permitted`: this identity may not read or write the store, or the store is read-only
 * - `not_installed`: the package `@google-cloud/storage` is missing
 * - `untrusted`: other users could change the store
 * - `malformed`: the stored value is not a valid entry
 * - `unsupported_version`: a later version of this library wrote the stored value
 * - `unverified`: the stored key is not a branch key of this crypto key and namespace, its date or key
 *   version is not authentic, or the keys file denies it
 */
export type BranchKeyStoreCode =
  | 'unavailable'
  | 'not_permitted'
  | 'not_installed'
  | 'untrusted'
  | 'malformed'
  | 'unsupported_version'
  | 'unverified';

/**
 * An error from a branch-key store. Callers of `encode` and `decode` never receive this error, because no
 * payload needs a store.
 */
export class BranchKeyStoreError extends Error {
  override readonly name = 'BranchKeyStoreError';
  readonly code: BranchKeyStoreCode;

  constructor(code: BranchKeyStoreCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Returns the id of the stored value for a crypto key and namespace: the hashes of both names, as in a
 * message's header, in hexadecimal digits.
 */
export const branchKeyId = (cryptoKey: string, namespace: string): string =>
  `${Buffer.from(keyId(cryptoKey)).toString('hex')}-${Buffer.from(namespaceTag(namespace)).toString('hex')}`;
