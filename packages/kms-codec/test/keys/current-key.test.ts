import { afterEach, describe, expect, it, vi } from 'vitest';
import { DecryptionKeys } from '../../src/keys/decryption-keys.ts';
import { EncryptionSlot } from '../../src/keys/encryption-slot.ts';
import { minute } from '../support/fleet.ts';
import { keyContextOf, scope } from '../support/key-context.ts';
import { HARD, rejected, slotOf, unavailable } from '../support/slot.ts';

const second = 1_000;

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the current key', () => {
  it('encrypts until its hard age in an outage, even if Cloud KMS has confirmed it later', () => {
    const { slot, at, encryptsAt, usableAt } = slotOf({ confirmed: 6 * minute });
    at(HARD - 1);
    slot.failed(unavailable);
    expect([encryptsAt(HARD - 1), usableAt(HARD - 1)]).toEqual([true, true]);
    expect([encryptsAt(HARD), usableAt(HARD)]).toEqual([false, false]);
  });

  it('leaves memory at its hard age', () => {
    const { slot, at } = slotOf();
    at(HARD - 1);
    slot.removeExpired();
    expect(slot.current).toBeDefined();
    at(HARD);
    slot.removeExpired();
    expect([slot.current, slot.wrappedKey]).toEqual([undefined, undefined]);
    expect(slot.state).toEqual({ remainingMs: 0, failure: undefined });
    // A refresh can fail after the key has expired.
    expect(() => slot.refreshFailed(rejected)).not.toThrow();
  });

  it('encrypts past its soft age only for a minute after a call that got no response', () => {
    const { slot, encryptsAt } = slotOf();
    expect([encryptsAt(minute - 1), encryptsAt(minute)]).toEqual([true, false]);
    slot.failed(unavailable);
    expect([encryptsAt(2 * minute - 1), encryptsAt(2 * minute)]).toEqual([true, false]);
  });

  it('encrypts after a refusal only until its last confirmation expires', () => {
    const { refuse, encryptsAt, usableAt } = slotOf();
    refuse('key_disabled', 30 * second);
    expect([encryptsAt(30 * second - 1), encryptsAt(30 * second)]).toEqual([true, false]);
    expect(usableAt(30 * second - 1)).toBe(false);
  });

  it.each([
    ['has never been allowed to unwrap', false],
    ['is no longer allowed to unwrap', true],
  ])('encrypts for 5 min after a successful wrap if the identity %s', (_, wasReadable) => {
    const { slot, key, at, refuse, becomeReadable, encryptsAt } = slotOf({ softAgeMs: HARD });
    refuse('permission_denied');
    if (wasReadable) becomeReadable();
    expect([encryptsAt(5 * minute - 1), encryptsAt(5 * minute)]).toEqual([true, false]);
    slot.wrapped(at(2 * minute));
    expect([encryptsAt(7 * minute - 1), encryptsAt(7 * minute)]).toEqual([true, false]);
    // In an outage, only an identity that has never been allowed to unwrap continues to encrypt.
    slot.failed(unavailable);
    expect(encryptsAt(7 * minute)).toBe(!wasReadable);
    expect(slot.confirmedByWrap).toBe(key);
  });

  it('encrypts until its last confirmation expires, without a wrap, if the identity is no longer allowed to unwrap', () => {
    const { refuse, becomeReadable, encryptsAt } = slotOf({ softAgeMs: HARD });
    becomeReadable();
    refuse('permission_denied', 6 * minute);
    expect([encryptsAt(6 * minute - 1), encryptsAt(6 * minute)]).toEqual([true, false]);
  });

  it('is not confirmed by a wrap once a refresh is due, or if the identity may unwrap', () => {
    const { slot, key, at, refuse } = slotOf();
    expect(slot.confirmedByWrap).toBeUndefined();
    refuse('permission_denied');
    expect(slot.confirmedByWrap).toBe(key);
    at(45 * second);
    expect(slot.confirmedByWrap).toBeUndefined();
  });

  it('is the first key of its slot, or replaces another key because of that key’s age', () => {
    const { slot, bornAt, at } = slotOf();
    const first = new EncryptionSlot(scope, keyContextOf({}), new DecryptionKeys(keyContextOf({})), false);
    expect(first.adopt(bornAt(0))).toBe('first');
    at(minute);
    expect(slot.adopt(bornAt(minute))).toBe('age');
  });
});
