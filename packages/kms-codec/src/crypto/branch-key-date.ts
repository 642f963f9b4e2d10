import { createHmac, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import { namespaceTag } from './tags.ts';

const LABEL = Buffer.from('temporal-kms/v2/branch-key-date\0');
const noSalt = new Uint8Array();
const KEY_BYTES = 32;

/** What the proof authenticates: the fields of a stored branch key that Cloud KMS does not. */
export interface BranchKeyDate {
  readonly namespace: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly keyVersion: number;
}

/**
 * Returns the proof of a branch key's creation time: HMAC-SHA-256 over the time and the key version, under a key that
 * HKDF-SHA-256 derives from the branch key for the namespace. Only a process that may unwrap the branch key can compute it.
 */
export function proveBranchKeyDate(branchKey: KeyObject, date: BranchKeyDate): Uint8Array {
  const info = Buffer.concat([LABEL, namespaceTag(date.namespace)]);
  const key = new Uint8Array(hkdfSync('sha256', branchKey, noSalt, info, KEY_BYTES));
  const message = Buffer.alloc(12);
  message.writeBigUInt64BE(BigInt(date.created));
  message.writeUInt32BE(date.keyVersion, 8);
  const proof = createHmac('sha256', key).update(message).digest();
  key.fill(0);
  return new Uint8Array(proof);
}

/** Whether a proof belongs to the branch key, the namespace, the creation time and the key version. */
export const isBranchKeyDate = (branchKey: KeyObject, date: BranchKeyDate, proof: Uint8Array): boolean => {
  const expected = proveBranchKeyDate(branchKey, date);
  return proof.length === expected.length && timingSafeEqual(proof, expected);
};
