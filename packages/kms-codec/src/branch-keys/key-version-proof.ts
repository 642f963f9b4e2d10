import { hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import { namespaceTag } from '../crypto/tags.ts';

const LABEL = Buffer.from('temporal-kms/v2/key-version\0');
const noSalt = new Uint8Array();
export const PROOF_BYTES = 16;

/**
 * Returns the proof that a stored branch key is wrapped under a key version. The proof is HKDF-SHA-256 of the
 * branch key, with the namespace and the version as info. The version cannot be part of the additional
 * authenticated data, because Cloud KMS chooses the version only during the wrap. Only a process that knows
 * the branch key can compute the proof.
 */
export function proveKeyVersion(branchKey: KeyObject, namespace: string, keyVersion: number): Uint8Array {
  const version = Buffer.alloc(4);
  version.writeUInt32BE(keyVersion);
  const info = Buffer.concat([LABEL, namespaceTag(namespace), version]);
  return new Uint8Array(hkdfSync('sha256', branchKey, noSalt, info, PROOF_BYTES));
}

/** @param proof `PROOF_BYTES` bytes */
export const isKeyVersionProof = (
  branchKey: KeyObject,
  namespace: string,
  keyVersion: number,
  proof: Uint8Array,
): boolean => timingSafeEqual(proveKeyVersion(branchKey, namespace, keyVersion), proof);
