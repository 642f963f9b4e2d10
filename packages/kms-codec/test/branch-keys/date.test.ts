import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isBranchKeyDate, proveBranchKeyDate } from '../../src/crypto/branch-key-date.ts';

const key = createSecretKey(Buffer.from([...Array(32).keys()]));
const date = { namespace: 'payments', created: 1_790_000_000_123, keyVersion: 7 };

describe('the proof of a branch key date', () => {
  it('equals what an independent implementation computed', () => {
    // Python: hmac.digest(HKDF(key, info), created.to_bytes(8) + (7).to_bytes(4), 'sha256')
    expect(Buffer.from(proveBranchKeyDate(key, date)).toString('hex')).toBe(
      'f072cf7676434abe9337b68cf181c0a66ed4b860cba901f01c561bbc689eff49',
    );
  });

  it('holds for the same key, namespace, time and key version only', () => {
    const proof = proveBranchKeyDate(key, date);
    expect(isBranchKeyDate(key, date, proof)).toBe(true);
    expect(isBranchKeyDate(key, { ...date, created: date.created + 1 }, proof)).toBe(false);
    expect(isBranchKeyDate(key, { ...date, keyVersion: 8 }, proof)).toBe(false);
    expect(isBranchKeyDate(key, { ...date, namespace: 'billing' }, proof)).toBe(false);
    expect(isBranchKeyDate(createSecretKey(Buffer.alloc(32)), date, proof)).toBe(false);
    expect(isBranchKeyDate(key, date, proof.subarray(0, 31))).toBe(false);
  });
});
