import { keyId, namespaceTag } from '../crypto/tags.ts';

/** Limit on the size of a stored value. The largest entry has about 3 KiB. */
export const MAX_VALUE_BYTES = 8 * 1024;

/** The generation of a value that does not exist. */
export const ABSENT = 'absent';

/** A stored value and its generation, which each `replace` changes. */
export interface StoredValue {
  readonly value: Uint8Array;
  /** Never `absent`. */
  readonly generation: string;
}

/**
 * Where processes share their wrapped branch keys: one small value for each crypto key and namespace. Nothing in a
 * store is secret or trusted, and losing it loses nothing. Implementations throw only `BranchKeyStoreError`.
 */
export interface BranchKeyStore {
  /**
   * Returns a value, or undefined if it does not exist. Need not return all of a value above 8 KiB, which is malformed
   * anyway.
   * @param id hexadecimal digits and `-`
   */
  load(id: string): Promise<StoredValue | undefined>;
  /**
   * Writes a value if its generation is still the expected one.
   * @param expected the generation that `load` returned, or `absent`
   * @returns false when another process has replaced the value since
   */
  replace(id: string, value: Uint8Array, expected: string): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Why a store or a stored value cannot be used.
 *
 * - `unavailable`: it did not answer in time, or answered with an error
 * - `not_permitted`: this identity may not read or write it, or it is read-only
 * - `not_installed`: the package `@google-cloud/storage` is missing
 * - `untrusted`: other users could change it
 * - `malformed`: the stored value has no valid form
 * - `unsupported_version`: a later version of this library wrote the stored value
 * - `unverified`: the stored key is not a branch key of this crypto key and namespace, or its date or key version is not
 *   authentic, or the keys file denies it
 */
export type BranchKeyStoreCode =
  | 'unavailable'
  | 'not_permitted'
  | 'not_installed'
  | 'untrusted'
  | 'malformed'
  | 'unsupported_version'
  | 'unverified';

/** An error of a store. It never reaches a caller of `encode` or `decode`, because no payload needs a store. */
export class BranchKeyStoreError extends Error {
  override readonly name = 'BranchKeyStoreError';
  readonly code: BranchKeyStoreCode;

  constructor(code: BranchKeyStoreCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Returns the id of a crypto key and namespace's value in a store: the hashes of their names, as in a message's header,
 * in hexadecimal digits.
 */
export const branchKeyId = (cryptoKey: string, namespace: string): string =>
  `${Buffer.from(keyId(cryptoKey)).toString('hex')}-${Buffer.from(namespaceTag(namespace)).toString('hex')}`;
