import type { KeyObject } from 'node:crypto';
import { deriveDataKey, generateSalt } from '../branch-keys/branch-key.ts';
import { wrappedKey, type WrappedKey } from '../crypto/wrapped-key.ts';

/** What a data key encrypts: the messages of one namespace in one format, under one crypto key. */
export interface DataKeyScope {
  /** Distinct for each scope. */
  readonly id: string;
  readonly namespace: string;
  readonly cryptoKey: string;
  /** Additional authenticated data under which Cloud KMS wraps a key of the scope; empty in the format `envelope`. */
  readonly aad: Uint8Array;
  /** Info with which data keys are derived from a branch key. Empty: the key that Cloud KMS wraps is the data key. */
  readonly info: Uint8Array;
}

/** A key that Cloud KMS has wrapped for a scope: a branch key if its data keys are derived, else a data key. */
export interface ScopeKey {
  readonly key: KeyObject;
  readonly wrapped: Uint8Array;
  readonly keyVersion: number;
  /** When it was created, in milliseconds since 1970. */
  readonly created: number;
  /** The same on the clock of ages of this process, see {@link elapsedClock}. */
  readonly born: number;
}

/** A data key that encrypts, and how much it has encrypted. */
export interface EncryptionKey {
  readonly scope: DataKeyScope;
  /** The key that it is derived from, or the data key itself. */
  readonly source: ScopeKey;
  /** Empty if the data key is not derived, as is `commitment`. */
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;
  readonly key: KeyObject;
  messages: number;
  bytes: number;
}

/** Whether the keys of a scope are branch keys, from which data keys are derived. */
export const hasBranchKeys = ({ info }: DataKeyScope): boolean => info.length > 0;

/** Returns a key of a scope as the cache for decryption names it. */
export const asWrappedKey = (
  scope: DataKeyScope,
  { wrapped, keyVersion }: Pick<ScopeKey, 'wrapped' | 'keyVersion'>,
): WrappedKey => {
  const { cryptoKey, aad } = scope;
  return wrappedKey({ cryptoKey, aad, wrapped, keyVersion, isBranchKey: hasBranchKeys(scope) });
};

/** Whether a data key may encrypt one more message. Its first message may be larger than the limit. */
export const hasRoom = (key: EncryptionKey, bytes: number, maxMessages: number, maxBytes: number): boolean =>
  key.messages === 0 || (key.messages < maxMessages && key.bytes + bytes <= maxBytes);

const notDerived = { salt: new Uint8Array(), commitment: new Uint8Array() };

/** Returns an unused data key: for branch keys, one derived with a new salt; otherwise the scope key. */
export function newDataKey(scope: DataKeyScope, source: ScopeKey): EncryptionKey {
  const unused = { scope, source, messages: 0, bytes: 0 };
  if (!hasBranchKeys(scope)) return { ...unused, ...notDerived, key: source.key };
  const salt = generateSalt();
  return { ...unused, salt, ...deriveDataKey(source.key, salt, scope.info) };
}
