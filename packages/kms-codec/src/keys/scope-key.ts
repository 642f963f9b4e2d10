import type { KeyObject } from 'node:crypto';
import { deriveDataKey, generateSalt } from '../branch-keys/branch-key.ts';
import { wrappedKey, type WrappedKey, type WrappedKeyBytes } from '../crypto/wrapped-key.ts';
import type { DataKeyLimits } from './limits.ts';

/** The scope of a data key: one namespace's messages in one format, under one crypto key. */
export interface DataKeyScope {
  /** Unique for each scope. */
  readonly id: string;
  readonly namespace: string;
  readonly cryptoKey: string;
  /**
   * Additional authenticated data with which Cloud KMS wraps the scope's keys; empty in the format
   * `envelope`.
   */
  readonly aad: Uint8Array;
  /**
   * HKDF info for deriving data keys from a branch key; empty if Cloud KMS wraps the data keys themselves.
   */
  readonly info: Uint8Array;
}

/**
 * A key that Cloud KMS has wrapped for a scope: a branch key if the scope derives data keys, otherwise a data
 * key.
 */
export interface ScopeKey {
  readonly key: KeyObject;
  readonly wrapped: WrappedKeyBytes;
  readonly keyVersion: number;
  /** When the key was created, in milliseconds since 1970. */
  readonly created: number;
  /** When the key was created, according to this process's {@link elapsedClock}. */
  readonly born: number;
}

/** A data key that encrypts, and the numbers of messages and bytes that it has encrypted. */
export interface EncryptionKey {
  readonly scope: DataKeyScope;
  /** The branch key from which this data key is derived, or the data key itself. */
  readonly source: ScopeKey;
  /** The salt; empty, like `commitment`, if the data key is not derived. */
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;
  readonly key: KeyObject;
  messages: number;
  bytes: number;
}

/** Returns whether the keys of a scope are branch keys, from which data keys are derived. */
export const hasBranchKeys = ({ info }: DataKeyScope): boolean => info.length > 0;

/** Returns a scope key in the form that the decryption cache uses. */
export const asWrappedKey = (
  scope: DataKeyScope,
  { wrapped, keyVersion }: Pick<ScopeKey, 'wrapped' | 'keyVersion'>,
): WrappedKey => {
  const { cryptoKey, aad } = scope;
  return wrappedKey({ cryptoKey, aad, wrapped, keyVersion, isBranchKey: hasBranchKeys(scope) });
};

/**
 * Returns whether a data key may encrypt one more message. The first message may exceed the limit on bytes.
 */
export const hasRoom = (key: EncryptionKey, bytes: number, maxMessages: number, maxBytes: number): boolean =>
  key.messages === 0 || (key.messages < maxMessages && key.bytes + bytes <= maxBytes);

type SoftLimits = Pick<DataKeyLimits, 'softAgeMs' | 'softMessages' | 'softBytes'>;

/** Returns the largest used share of the soft limits that apply. 1 means that a limit is reached. */
export function usedShare(key: EncryptionKey, limits: SoftLimits, now: number): number {
  const age = (now - key.source.born) / limits.softAgeMs;
  if (hasBranchKeys(key.scope)) return age;
  return Math.max(age, key.messages / limits.softMessages, key.bytes / limits.softBytes);
}

/** Why a scope key replaced the previous scope key. */
export type RotationReason = 'first' | 'age' | 'messages' | 'bytes';

/** Returns why a key is replaced now: the soft limit that is closest to being reached. */
export function reasonToReplace(key: EncryptionKey, limits: SoftLimits, now: number): RotationReason {
  if (hasBranchKeys(key.scope)) return 'age';
  const share = usedShare(key, limits, now);
  if (key.messages / limits.softMessages === share) return 'messages';
  return key.bytes / limits.softBytes === share ? 'bytes' : 'age';
}

const noBytes = new Uint8Array();

/**
 * Returns an unused data key. From a branch key, derives a data key with a new salt; otherwise returns the
 * scope key itself.
 */
export function newDataKey(scope: DataKeyScope, source: ScopeKey): EncryptionKey {
  const unused = { scope, source, messages: 0, bytes: 0 };
  if (!hasBranchKeys(scope)) return { ...unused, salt: noBytes, commitment: noBytes, key: source.key };
  const salt = generateSalt();
  return { ...unused, salt, ...deriveDataKey(source.key, salt, scope.info) };
}
