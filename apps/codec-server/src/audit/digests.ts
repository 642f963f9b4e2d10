import { createHmac } from 'node:crypto';
import { readRegularFile } from '@temporal-kms/kms-codec/strict-yaml';

/** Digests of ciphertexts: with the key, they are found in histories and exports. */
export interface Digests {
  /** Identifies the key and reveals nothing about it. */
  readonly keyId: string;
  of(ciphertext: Uint8Array): string;
}

/** Bytes of HMAC-SHA-256 that are kept, as RFC 2104 section 5 allows: no two ciphertexts with the same digest can be made. */
const DIGEST_BYTES = 16;

/** HMAC-SHA-256 of a payload's `data`, its first 16 bytes in base64url without padding. */
export function digestsWith(key: Uint8Array): Digests {
  const of = (ciphertext: Uint8Array): string =>
    createHmac('sha256', key).update(ciphertext).digest().subarray(0, DIGEST_BYTES).toString('base64url');
  return { keyId: of(new Uint8Array()).slice(0, 11), of };
}

/** 32 bytes or more as an even number of hexadecimal digits. */
const KEY = /^(?:[0-9a-f]{2}){32,}$/i;

const MAX_FILE_BYTES = 4_096;

/** @throws Error when the file holds no key, others can write it, or it cannot be read */
export function readDigestKey(file: string): Digests {
  const text = readRegularFile(file, MAX_FILE_BYTES).toString('utf8').trim();
  if (!KEY.test(text)) {
    throw new Error(
      `${file} holds no key for digests: it must be 64 or more hexadecimal digits (openssl rand -hex 32).`,
    );
  }
  return digestsWith(Buffer.from(text, 'hex'));
}
