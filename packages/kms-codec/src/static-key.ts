import { createSecretKey, type KeyObject } from 'node:crypto';
import { readRegularFile } from './regular-file.ts';

const MAX_BYTES = 1_024;
const LENGTH = 32;
const HEX = /^[0-9A-Fa-f]{64}$/;
const BASE64 = /^[A-Za-z0-9+/]{43}=$/;

/**
 * Reads the file of a static key: 32 raw bytes, or 64 hexadecimal digits or 44 characters of padded base64, which one line
 * end may follow. 32 bytes of text are rejected, because they may be a hexadecimal key of half the length.
 * @throws Error that describes the mistake without the content of the file
 */
export function readStaticKey(path: string): KeyObject {
  const bytes = readRegularFile(path, MAX_BYTES);
  const key = decoded(bytes);
  try {
    if (key) return createSecretKey(key);
    throw new Error(
      'must hold a key of 32 bytes: raw, as 64 hexadecimal digits, or as 44 characters of base64',
    );
  } finally {
    key?.fill(0);
    bytes.fill(0);
  }
}

function decoded(bytes: Buffer): Buffer | undefined {
  const isText = bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d));
  if (!isText) return bytes.length === LENGTH ? bytes : undefined;
  const text = bytes.toString('latin1').replace(/\r?\n$/, '');
  if (HEX.test(text)) return Buffer.from(text, 'hex');
  if (!BASE64.test(text)) return undefined;
  const key = Buffer.from(text, 'base64');
  // The unused bits of the last character must be 0. Otherwise two texts would encode the same key.
  return key.toString('base64') === text ? key : undefined;
}
