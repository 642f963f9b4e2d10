import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/**
 * The emulator's ciphertext, which has the structure of Cloud KMS's ciphertext: a protobuf message with two
 * byte fields. Clients must treat a ciphertext as opaque.
 *
 *     0a 24 | 00 | locator (35: 31 random, then the version's number, big-endian)
 *     12 n  | 00 | salt (12) | nonce (12) | AES-256-GCM ciphertext | tag (16)
 *
 * A plaintext of 32 bytes becomes a ciphertext of 113 bytes. The message key is HKDF-SHA256(version's key,
 * salt). Because each message has 24 random bytes, no realistic number of messages repeats a nonce. The
 * locator and the caller's additional authenticated data are authenticated.
 */
const LOCATOR_BYTES = 35;
const LOCATOR_FIELD = 0x0a;
const BODY_FIELD = 0x12;
const SALT_BYTES = 12;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BODY_OVERHEAD = 1 + SALT_BYTES + NONCE_BYTES + TAG_BYTES;
const BODY_AT = 2 + 1 + LOCATOR_BYTES;
const KEY_BYTES = 32;
const INFO = 'kms-emulator/1';

export const newMaterial = (): Buffer => randomBytes(KEY_BYTES);

/** Returns a new locator for a version. The version's ciphertexts contain the locator instead of a name. */
export function newLocator(version: number): Buffer {
  const locator = randomBytes(LOCATOR_BYTES);
  locator.writeUInt32BE(version, LOCATOR_BYTES - 4);
  return locator;
}

/** Returns the ciphertext of `plaintext`. */
export function encryptBytes(
  material: Uint8Array,
  locator: Uint8Array,
  plaintext: Uint8Array,
  aad: Uint8Array,
): Buffer {
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', messageKey(material, salt), nonce);
  cipher.setAAD(locator).setAAD(aad);
  const encrypted = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([
    Buffer.of(LOCATOR_FIELD, 1 + LOCATOR_BYTES, 0),
    locator,
    Buffer.of(BODY_FIELD, ...varint(BODY_OVERHEAD + plaintext.length), 0),
    salt,
    nonce,
    encrypted,
    cipher.getAuthTag(),
  ]);
}

/** Returns the locator and the body of a ciphertext, or undefined if the bytes are not a ciphertext. */
export function parseCiphertext(bytes: Uint8Array): { locator: Buffer; body: Buffer } | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < BODY_AT + 2 + BODY_OVERHEAD) return undefined;
  if (buffer[0] !== LOCATOR_FIELD || buffer[1] !== 1 + LOCATOR_BYTES || buffer[2] !== 0) return undefined;
  if (buffer[BODY_AT] !== BODY_FIELD) return undefined;
  const length = readVarint(buffer, BODY_AT + 1);
  if (length === undefined || length.value < BODY_OVERHEAD) return undefined;
  const body = buffer.subarray(length.end);
  if (body.length !== length.value || body[0] !== 0) return undefined;
  return { locator: buffer.subarray(3, BODY_AT), body };
}

/** Returns the plaintext, or undefined if the ciphertext or its additional data was modified. */
export function decryptBytes(
  material: Uint8Array,
  { locator, body }: { locator: Uint8Array; body: Uint8Array },
  aad: Uint8Array,
): Buffer | undefined {
  const salt = body.subarray(1, 1 + SALT_BYTES);
  const nonce = body.subarray(1 + SALT_BYTES, 1 + SALT_BYTES + NONCE_BYTES);
  const encrypted = body.subarray(1 + SALT_BYTES + NONCE_BYTES, -TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', messageKey(material, salt), nonce);
  decipher.setAAD(locator).setAAD(aad).setAuthTag(body.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(encrypted), decipher.final()]);
  } catch {
    return undefined;
  }
}

const messageKey = (material: Uint8Array, salt: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', material, salt, INFO, KEY_BYTES));

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** Accepts only the shortest encoding, so that a ciphertext has a single form. */
function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let index = 0; index < 4; index += 1) {
    const byte = bytes[start + index] ?? 0;
    value += (byte & 0x7f) * 128 ** index;
    if (byte < 0x80) return index > 0 && byte === 0 ? undefined : { value, end: start + index + 1 };
  }
  return undefined;
}
