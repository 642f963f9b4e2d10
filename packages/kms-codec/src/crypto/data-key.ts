import { createSecretKey, type KeyObject } from 'node:crypto';
import { KmsCodecError } from '../errors.ts';
import type { brand, Unencrypted } from './plaintext.ts';
import { fillRandom } from './random.ts';

export const DATA_KEY_BYTES = 32;

/** The bytes of a new key that Cloud KMS has not wrapped yet. */
export type KeyBytes = Uint8Array & { readonly [brand]: 'key' };

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A brand has no value.
export const asKeyBytes = (bytes: Uint8Array): KeyBytes => bytes as KeyBytes;

/** Returns the bytes of a new key. The caller must wipe these bytes after Cloud KMS has wrapped them. */
export function generateKey(): KeyBytes {
  const words = new Uint32Array(DATA_KEY_BYTES / Uint32Array.BYTES_PER_ELEMENT);
  fillRandom(words);
  return asKeyBytes(new Uint8Array(words.buffer));
}

/**
 * A word that every payload from Temporal's converters contains, and that 32 random bytes contain with a
 * probability of only 2^-59.
 */
const ENCODING = Buffer.from('encoding');

/**
 * Returns an unwrapped data key as a KeyObject, whose bytes JavaScript cannot read, and wipes the buffer.
 * @throws KmsCodecError `malformed` if the key does not have 32 bytes, or if the bytes are the payload of a
 *   `direct` message. Cloud KMS decrypts such messages with the same crypto key, and their author knows the
 *   bytes
 */
export function importKey(bytes: Unencrypted): KeyObject {
  try {
    if (bytes.length !== DATA_KEY_BYTES) {
      throw new KmsCodecError(
        'malformed',
        `The unwrapped key has ${bytes.length} bytes instead of ${DATA_KEY_BYTES}`,
      );
    }
    if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(ENCODING)) {
      throw new KmsCodecError(
        'malformed',
        'The wrapped key is the ciphertext of a direct message, which the codec does not accept as a key',
      );
    }
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}
