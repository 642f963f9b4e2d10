import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { KmsCodecError } from '../errors.ts';
import { type Box, GCM_TAG_BYTES, NONCE_BYTES } from '../wire/aead-box.ts';
import { fillRandom, nextNonce } from './random.ts';

const CIPHER = 'aes-256-gcm';
export const DATA_KEY_BYTES = 32;
const options = { authTagLength: GCM_TAG_BYTES };

/** A new random data key. The caller wraps the bytes, imports them with {@link importDataKey}, which wipes them. */
export function randomDataKey(): Uint8Array {
  const words = new Uint32Array(DATA_KEY_BYTES / Uint32Array.BYTES_PER_ELEMENT);
  fillRandom(words);
  return new Uint8Array(words.buffer);
}

/** Every payload of Temporal's converters contains it; 32 random bytes do with a probability of 2^-59. */
const ENCODING = Buffer.from('encoding');

/**
 * Imports a data key into a KeyObject, whose bytes JavaScript cannot reach, and wipes the buffer.
 * @throws `malformed` when it does not have 32 bytes, or is a direct message's payload: Cloud KMS unwraps that under
 *   the same key, and its author knows the bytes.
 */
export function importDataKey(bytes: Uint8Array): KeyObject {
  try {
    if (bytes.length !== DATA_KEY_BYTES) {
      throw new KmsCodecError(
        'malformed',
        `The data key has ${bytes.length} bytes instead of ${DATA_KEY_BYTES}`,
      );
    }
    if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(ENCODING)) {
      throw new KmsCodecError(
        'malformed',
        'The data key is a payload: a direct message was put in its place',
      );
    }
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}

/**
 * Seals into one new buffer: `prefix ‖ nonce ‖ ciphertext ‖ tag`; the prefix is the additional authenticated data.
 * @param plaintext in pieces, one behind the other
 */
export function seal(key: KeyObject, prefix: Uint8Array, plaintext: readonly Uint8Array[]): Uint8Array {
  let length = prefix.length + NONCE_BYTES + GCM_TAG_BYTES;
  for (const piece of plaintext) length += piece.length;
  const out = Buffer.allocUnsafe(length);
  out.set(prefix);
  const nonce = nextNonce();
  out.set(nonce, prefix.length);
  let at = prefix.length + NONCE_BYTES;
  const cipher = createCipheriv(CIPHER, key, nonce, options);
  if (prefix.length > 0) cipher.setAAD(prefix);
  for (const piece of plaintext) {
    out.set(cipher.update(piece), at);
    at += piece.length;
  }
  cipher.final();
  out.set(cipher.getAuthTag(), at);
  return out;
}

/** @throws `integrity_failed`, the same whatever was wrong: key, header, ciphertext or tag. */
export function open(key: KeyObject, aad: Uint8Array | undefined, box: Box): Uint8Array {
  try {
    const decipher = createDecipheriv(CIPHER, key, box.nonce, options);
    if (aad) decipher.setAAD(aad);
    decipher.setAuthTag(box.tag);
    const plaintext = decipher.update(box.ciphertext);
    decipher.final();
    return plaintext;
  } catch {
    // OpenSSL's own message adds nothing, and a second message would be a second answer to an attacker.
    throw new KmsCodecError(
      'integrity_failed',
      "The message isn't what was sealed: it was changed, cut or mixed up",
    );
  }
}
