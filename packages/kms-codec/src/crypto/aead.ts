import { createCipheriv, createDecipheriv, type DecipherGCM, type KeyObject } from 'node:crypto';
import { freeBuffer } from '@temporal-kms/node-utils/free-buffer';
import { KmsCodecError } from '../errors.ts';
import { asPlaintext, type brand, type Plaintext } from './plaintext.ts';
import { NONCE_BYTES, nextNonce } from './random.ts';

const CIPHER = 'aes-256-gcm';
export { NONCE_BYTES };
export const GCM_TAG_BYTES = 16;
/** Number of bytes that encryption adds to a plaintext. */
export const OVERHEAD_BYTES = NONCE_BYTES + GCM_TAG_BYTES;
// Stryker disable next-line ObjectLiteral: 16 bytes is Node's default, and every tag below has 16 bytes.
const options = { authTagLength: GCM_TAG_BYTES };

/** The bytes of a message. */
export type Ciphertext = Uint8Array & { readonly [brand]?: 'ciphertext' };

/** Like `subarray`, but faster on a Buffer, where `subarray` would create another Buffer. */
const view = ({ buffer, byteOffset }: Uint8Array, start: number, length: number): Uint8Array =>
  new Uint8Array(buffer, byteOffset + start, length);

/**
 * @throws KmsCodecError `malformed` if there are too few bytes for a nonce and a tag between `start` and the
 *   end of the message
 */
export function checkLength(data: Uint8Array, start = 0): void {
  if (data.length >= start + OVERHEAD_BYTES) return;
  throw new KmsCodecError('malformed', `The message is truncated: it ends at byte ${data.length}`);
}

/**
 * Encrypts with AES-256-GCM and returns one new buffer: `prefix ‖ nonce ‖ ciphertext ‖ tag`.
 * @param prefix additional authenticated data, copied to the start of the result; can be empty
 * @param plaintext the plaintext, in pieces
 */
export function encrypt(key: KeyObject, prefix: Uint8Array, plaintext: readonly Uint8Array[]): Ciphertext {
  let length = prefix.length + OVERHEAD_BYTES;
  for (const piece of plaintext) length += piece.length;
  const message = Buffer.allocUnsafe(length);
  message.set(prefix);
  const nonce = nextNonce();
  message.set(nonce, prefix.length);
  let at = prefix.length + NONCE_BYTES;
  const cipher = createCipheriv(CIPHER, key, nonce, options);
  cipher.setAAD(prefix);
  for (const piece of plaintext) {
    message.set(cipher.update(piece), at);
    at += piece.length;
  }
  cipher.final();
  message.set(cipher.getAuthTag(), at);
  return message;
}

/**
 * Decrypts `nonce ‖ ciphertext ‖ tag` with AES-256-GCM and returns the plaintext.
 * @param aad additional authenticated data, if the format has any
 * @param start index of the nonce's first byte in `data`
 * @param overwrite whether to decrypt the ciphertext in place; if decryption fails, zeros replace the
 *   ciphertext
 * @throws KmsCodecError `malformed` if the data is too short for a nonce and a tag; `integrity_failed`,
 *   always with the same message, if the key, header, ciphertext or tag is wrong
 */
export function decrypt(
  key: KeyObject,
  aad: Uint8Array | undefined,
  data: Ciphertext,
  start = 0,
  overwrite = false,
): Plaintext {
  checkLength(data, start);
  const ciphertextAt = start + NONCE_BYTES;
  const tagAt = data.length - GCM_TAG_BYTES;
  const ciphertext = view(data, ciphertextAt, tagAt - ciphertextAt);
  try {
    const decipher = createDecipheriv(CIPHER, key, view(data, start, NONCE_BYTES), options);
    if (aad) decipher.setAAD(aad);
    decipher.setAuthTag(view(data, tagAt, GCM_TAG_BYTES));
    const plaintext = overwrite ? decryptInPlace(decipher, ciphertext) : decipher.update(ciphertext);
    decipher.final();
    return asPlaintext(plaintext);
  } catch {
    // Wipes the plaintext, because no caller may read plaintext that is not authenticated.
    if (overwrite) ciphertext.fill(0);
    throw authenticationFailed();
  }
}

/** Number of bytes that are decrypted in place at a time. */
const PIECE_BYTES = 256 * 1024;

function decryptInPlace(decipher: DecipherGCM, bytes: Uint8Array): Uint8Array {
  // Stryker disable next-line EqualityOperator: an empty piece changes nothing.
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = decipher.update(view(bytes, at, Math.min(PIECE_BYTES, bytes.length - at)));
    bytes.set(piece, at);
    // Stryker disable next-line CallExpression: garbage collection frees the memory later.
    freeBuffer(piece);
  }
  return bytes;
}

/**
 * Returns the same error for every cause, because different messages, such as those of OpenSSL, would reveal
 * the cause to an attacker.
 */
export const authenticationFailed = (): KmsCodecError =>
  new KmsCodecError(
    'integrity_failed',
    'Authentication failed: the message was modified or truncated, or the key is wrong',
  );
