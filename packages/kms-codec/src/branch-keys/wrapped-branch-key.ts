import { createSecretKey, type KeyObject } from 'node:crypto';
import { KmsCodecError } from '../errors.ts';
import { asKeyBytes, DATA_KEY_BYTES, generateKey, type KeyBytes } from '../crypto/data-key.ts';
import type { Unencrypted } from '../crypto/plaintext.ts';

/*
 * The plaintext that Cloud KMS wraps for `envelope-v2` is
 * `01 ‖ created (6 bytes, ms since 1970) ‖ branch key (32 bytes)`. Because Cloud KMS authenticates the date
 * in this way, a holder of the branch key cannot choose another date. The plaintext's length distinguishes it
 * from the data keys of other formats.
 */

const VERSION = 0x01;
const DATE_BYTES = 6;
const KEY_AT = 1 + DATE_BYTES;
const PLAINTEXT_BYTES = KEY_AT + DATA_KEY_BYTES;
/** The latest date that fits into 6 bytes, in the year 10889. */
export const MAX_CREATED = 2 ** (8 * DATE_BYTES) - 1;

/**
 * Returns a new branch key's plaintext. The caller must wipe the plaintext after Cloud KMS has wrapped it.
 * @param created whole milliseconds since 1970
 */
export function generateBranchKey(created: number): KeyBytes {
  const plaintext = Buffer.alloc(PLAINTEXT_BYTES);
  plaintext[0] = VERSION;
  plaintext.writeUIntBE(created, 1, DATE_BYTES);
  const key = generateKey();
  plaintext.set(key, KEY_AT);
  // Stryker disable next-line CallExpression: no other code can read this memory.
  key.fill(0);
  return asKeyBytes(plaintext);
}

const dates = new WeakMap<KeyObject, number>();

/**
 * Returns when a branch key was created, in milliseconds since 1970, or undefined if the key is not a branch
 * key.
 */
export const createdOf = (branchKey: KeyObject): number | undefined => dates.get(branchKey);

/**
 * Returns an unwrapped branch key as a KeyObject, whose bytes JavaScript cannot read, and wipes the buffer.
 * @throws KmsCodecError `malformed` if the plaintext's length or first byte is wrong
 */
export function importBranchKey(plaintext: Unencrypted): KeyObject {
  const bytes = Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.length);
  try {
    if (bytes.length !== PLAINTEXT_BYTES || bytes[0] !== VERSION) {
      throw new KmsCodecError(
        'malformed',
        `The unwrapped branch key must have ${PLAINTEXT_BYTES} bytes and start with the byte ${VERSION}, but it has ${bytes.length} bytes or another first byte`,
      );
    }
    const key = createSecretKey(bytes.subarray(KEY_AT));
    dates.set(key, bytes.readUIntBE(1, DATE_BYTES));
    return key;
  } finally {
    bytes.fill(0);
  }
}
