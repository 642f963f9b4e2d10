import { describe, expect, it } from 'vitest';
import { importKey, generateKey } from '../../src/crypto/data-key.ts';
import { type EncryptionKey, newDataKey, reasonToReplace, usedShare } from '../../src/keys/scope-key.ts';
import { cryptoKey } from '../support/codec.ts';

const limits = { softAgeMs: 1_000, softMessages: 100, softBytes: 10_000 };
const now = 1_000_000;

/** Returns a data key that has encrypted messages; derived from a branch key if `info` is not empty. */
function usedKey(info: Uint8Array, ageMs: number, messages: number, bytes: number): EncryptionKey {
  const scope = { id: 'id', namespace: 'pay', cryptoKey: cryptoKey('pay'), aad: info, info };
  const key = importKey(generateKey());
  const source = { key, wrapped: new Uint8Array(100), keyVersion: 1, created: now, born: now - ageMs };
  return { ...newDataKey(scope, source), messages, bytes };
}

const envelope = new Uint8Array();
const envelopeV2 = new Uint8Array(32);

// [C-4]
describe('usedShare and reasonToReplace', () => {
  it.each([
    ['age', 0.5, 'envelope', 500, 20, 3_000],
    ['messages', 0.5, 'envelope', 200, 50, 3_000],
    ['bytes', 0.5, 'envelope', 200, 30, 5_000],
    // The codec derives another data key from the branch key when a data key reaches the other limits.
    ['age', 0.5, 'envelope-v2', 500, 50, 3_000],
    ['age', 0.2, 'envelope-v2', 200, 90, 9_000],
  ] as const)(
    'return the limit on %s and the share %d in the format %s after %i ms, %i messages and %i bytes',
    (reason, share, format, ageMs, messages, bytes) => {
      const key = usedKey(format === 'envelope' ? envelope : envelopeV2, ageMs, messages, bytes);
      expect(usedShare(key, limits, now)).toBe(share);
      expect(reasonToReplace(key, limits, now)).toBe(reason);
    },
  );
});
