import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decrypt, encrypt } from '../src/crypto/aead.ts';
import { importKey } from '../src/crypto/data-key.ts';

const key = createSecretKey(randomBytes(32));
const plaintext = randomBytes(600_000);
const message = () => Buffer.from(encrypt(key, new Uint8Array(), [plaintext]));

describe('decrypt in place', () => {
  it('replaces the ciphertext with the plaintext', () => {
    const data = message();
    expect(Buffer.from(decrypt(key, undefined, data, 0, true)).equals(plaintext)).toBe(true);
    expect(data.subarray(12, -16).equals(plaintext)).toBe(true);
  });

  it('replaces the ciphertext with zeros if the tag is wrong', () => {
    const data = message();
    data[data.length - 1]! ^= 1;
    expect(() => decrypt(key, undefined, data, 0, true)).toThrow('Authentication failed');
    expect(data.subarray(12, -16).every((byte) => byte === 0)).toBe(true);
  });
});

it('decrypt does not change the message by default, even if the tag is wrong', () => {
  const data = message();
  data[data.length - 1]! ^= 1;
  const before = Buffer.from(data);
  expect(() => decrypt(key, undefined, data)).toThrow('Authentication failed');
  expect(data.equals(before)).toBe(true);
});

it.each([32, 31])('importKey wipes %d bytes, even if they are not a key', (length) => {
  const bytes = randomBytes(length);
  try {
    importKey(bytes);
  } catch {
    expect(length).toBe(31);
  }
  expect([...bytes]).toEqual(Array(length).fill(0));
});
