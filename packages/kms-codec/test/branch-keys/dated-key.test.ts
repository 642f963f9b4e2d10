import { createHmac, createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isKeyVersionProof, proveKeyVersion } from '../../src/branch-keys/key-version-proof.ts';
import { namespaceTag } from '../../src/crypto/tags.ts';
import {
  createdOf,
  generateBranchKey,
  importBranchKey,
  MAX_CREATED,
} from '../../src/branch-keys/wrapped-branch-key.ts';

const secret = Buffer.from([...Array(32).keys()]);
const key = createSecretKey(secret);
const hmac = (secretKey: Uint8Array, ...parts: readonly Uint8Array[]) =>
  createHmac('sha256', secretKey).update(Buffer.concat(parts)).digest();

describe('a wrapped branch key’s plaintext', () => {
  it.each([0, 1_790_000_000_123, MAX_CREATED])('contains the date %d and a random key', (created) => {
    const plaintext = Buffer.from(generateBranchKey(created));
    expect(plaintext.subarray(0, 7).toString('hex')).toBe(`01${created.toString(16).padStart(12, '0')}`);
    const imported = importBranchKey(Buffer.from(plaintext));
    expect(createdOf(imported)).toBe(created);
    expect(imported.export()).toEqual(plaintext.subarray(7));
    expect(importBranchKey(generateBranchKey(created)).equals(imported)).toBe(false);
  });

  it.each([
    [38, 1],
    [40, 1],
    [39, 2],
  ])('is malformed if it has %d bytes and starts with the byte %d', (length, first) => {
    const plaintext = Buffer.alloc(length, first);
    expect(() => importBranchKey(plaintext)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it.each([39, 32])('is wiped after an import of %d bytes, even if the import fails', (length) => {
    const plaintext = generateBranchKey(1).subarray(0, length);
    try {
      importBranchKey(plaintext);
    } catch {
      expect(length).toBe(32);
    }
    expect([...plaintext]).toEqual(Array(length).fill(0));
  });
});

// [B-4]
describe('proveKeyVersion', () => {
  it('returns the first 16 bytes of HKDF-SHA-256 as the proof', () => {
    const version = Buffer.of(0, 0, 0, 7, 1);
    const info = [Buffer.from('temporal-kms/v2/key-version\0'), namespaceTag('payments'), version];
    const expected = hmac(hmac(Buffer.alloc(32), secret), ...info).subarray(0, 16);
    expect(Buffer.from(proveKeyVersion(key, 'payments', 7))).toEqual(expected);
  });

  it('returns a proof that is valid only for the same branch key, namespace and key version', () => {
    const proof = proveKeyVersion(key, 'payments', 7);
    expect(isKeyVersionProof(key, 'payments', 7, proof)).toBe(true);
    expect(isKeyVersionProof(key, 'payments', 8, proof)).toBe(false);
    expect(isKeyVersionProof(key, 'billing', 7, proof)).toBe(false);
    expect(isKeyVersionProof(createSecretKey(Buffer.alloc(32)), 'payments', 7, proof)).toBe(false);
  });
});
