import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DecryptionKeys } from '../../src/keys/decryption-keys.ts';
import { EncryptionSlot } from '../../src/keys/encryption-slot.ts';
import { WaitBudget } from '../../src/keys/wait-budget.ts';
import { minute } from '../support/fleet.ts';
import { keyContextOf, scope } from '../support/key-context.ts';
import { HARD, rejected, slotOf, unavailable } from '../support/slot.ts';

const second = 1_000;

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a refresh', () => {
  it.each([
    [false, 0, 0.75],
    [false, 1, 0.7],
    [true, 0, 0.75],
    [true, 1, 0.75 - 1 / 60],
  ])(
    'starts at a random share of the soft age (shared: %s, random number %i: %d)',
    (isShared, random, share) => {
      vi.spyOn(Math, 'random').mockReturnValue(random);
      const context = keyContextOf({});
      const slot = new EncryptionSlot(scope, context, new DecryptionKeys(context), isShared);
      expect(slot.refreshShare).toBeCloseTo(share, 10);
    },
  );

  it('is due once the key has reached that share, unless a refresh is in progress', () => {
    const { slot, dueAt } = slotOf();
    expect([dueAt(45 * second - 1), dueAt(45 * second)]).toEqual([undefined, 'obtain']);
    slot.isRefreshing = true;
    expect(dueAt(45 * second)).toBeUndefined();
  });

  it('is repeated 10 s after a failure, but immediately once the key needs a response from Cloud KMS', () => {
    const { slot, at, dueAt } = slotOf();
    at(45 * second);
    slot.delayRefresh();
    expect([dueAt(55 * second - 1), dueAt(55 * second)]).toEqual([undefined, 'obtain']);
    slot.delayRefresh();
    expect([dueAt(minute - 1), dueAt(minute)]).toEqual([undefined, 'obtain']);
  });

  it('is due if the store does not have the key of a process that shares its keys', () => {
    const { slot, dueAt } = slotOf({ isShared: true });
    expect(dueAt(1)).toBe('obtain');
    slot.sharing = 'shared';
    expect(dueAt(1)).toBeUndefined();
    expect(slotOf().dueAt(1)).toBeUndefined();
  });

  it('is due at 65 % of the revalidation period if this identity may not unwrap', () => {
    const { refuse, dueAt } = slotOf({ softAgeMs: HARD });
    refuse('permission_denied');
    expect([dueAt(195 * second - 1), dueAt(195 * second)]).toEqual([undefined, 'obtain']);
  });
});

describe('a next key from the store', () => {
  it('is activated at 20 % of its soft age; until then, the slot obtains no other key', () => {
    const { slot, bornAt, dueAt } = slotOf();
    slot.next = bornAt(45 * second);
    expect([dueAt(57 * second - 1), dueAt(57 * second)]).toEqual([undefined, 'activate']);
  });

  it('is activated earlier if the current key may otherwise not encrypt without a response from Cloud KMS', () => {
    const { slot, bornAt, dueAt } = slotOf();
    slot.next = bornAt(55 * second);
    expect([dueAt(minute - 1), dueAt(minute)]).toEqual([undefined, 'activate']);
  });

  it('is not activated past its soft age, or while Cloud KMS refuses the current key', () => {
    const { slot, bornAt, dueAt, refuse } = slotOf();
    slot.next = bornAt(-15 * second);
    expect([dueAt(45 * second - 1), dueAt(45 * second)]).toEqual(['activate', 'obtain']);
    refuse('key_disabled');
    expect(dueAt(45 * second - 1)).toBe('obtain');
  });
});

describe('a failed refresh', () => {
  it('does not shorten the use of the current key if Cloud KMS did not respond', () => {
    const { slot, at, encryptsAt } = slotOf();
    at(50 * second);
    slot.refreshFailed(unavailable);
    expect(slot.state).toEqual({
      remainingMs: HARD - 50 * second,
      ageMs: 50 * second,
      failure: 'kms_unavailable',
    });
    // Past the soft age, no encode waits for Cloud KMS within a minute after the failure.
    expect(encryptsAt(110 * second - 1)).toBe(true);
  });

  it('ends the use of the current key at its soft age if Cloud KMS rejected the refresh, until a refresh succeeds', () => {
    const { slot, at, usableAt } = slotOf();
    at(50 * second);
    slot.refreshFailed(rejected);
    slot.refreshFailed(unavailable);
    expect(slot.state).toMatchObject({ remainingMs: 10 * second, failure: 'kms_unavailable' });
    expect([usableAt(minute - 1), usableAt(minute)]).toEqual([true, false]);
    expect(slot.state.remainingMs).toBe(0);
    slot.refreshed();
    expect(slot.state).toMatchObject({ remainingMs: HARD - minute, failure: undefined });
  });

  it.each([
    ['wrapped a key', 0, 50 * second],
    ['unwrapped the key', 50 * second, 0],
  ])('lets work in progress complete for 5 min after Cloud KMS last %s', (_, confirmed, wrapped) => {
    const { slot, at, usableAt } = slotOf({ confirmed });
    slot.wrapped(at(wrapped));
    at(70 * second);
    slot.asking();
    slot.refreshFailed(rejected);
    const end = 50 * second + 5 * minute;
    expect([usableAt(end - 1), usableAt(end)]).toEqual([true, false]);
    expect(slot.state.remainingMs).toBe(0);
  });

  it('ends the use of the current key with its last confirmation if the identity may not unwrap', () => {
    const { slot, refuse } = slotOf();
    refuse('permission_denied', 20 * second);
    slot.refreshFailed(rejected);
    expect(slot.state.remainingMs).toBe(20 * second);
  });
});

it('a slot remembers a rejection, but not an outage, for 5 s, in which encodes fail without another call', () => {
  const { slot, at } = slotOf();
  slot.failed(unavailable);
  expect(slot.failure).toBeUndefined();
  slot.failed(rejected);
  at(5 * second - 1);
  expect(slot.failure).toBe(rejected);
  at(5 * second);
  expect(slot.failure).toBeUndefined();
});

/** Returns a slot whose key may encrypt only after a refresh, which is in progress. */
function refreshing(budgetMs = minute) {
  const calls = { waiting: 0 };
  const tested = slotOf();
  tested.at(minute);
  tested.slot.isRefreshing = true;
  const wait = () => tested.slot.refreshAnswered(new WaitBudget(budgetMs, {}, calls));
  return { ...tested, calls, wait };
}

describe('an encode that waits for a refresh', () => {
  it('does not wait if the key needs no response, if no refresh is in progress, or if the key is past its hard age', () => {
    const { slot, at, wait } = refreshing();
    at(minute - 1);
    expect(wait()).toBeUndefined();
    at(HARD);
    expect(wait()).toBeUndefined();
    at(minute);
    slot.isRefreshing = false;
    expect(wait()).toBeUndefined();
  });

  it('stops waiting when the refresh ends, which does not count as an outage', async () => {
    const { slot, calls, encryptsAt, wait } = refreshing(30);
    const waiting = wait();
    expect(calls.waiting).toBe(1);
    slot.refreshEnded();
    await waiting;
    expect([calls.waiting, slot.isRefreshing]).toEqual([0, false]);
    await sleep(100);
    expect(encryptsAt(minute)).toBe(false);
  });

  it('stops waiting when a call of the refresh fails', async () => {
    const { slot, encryptsAt, wait } = refreshing();
    const waiting = wait();
    slot.failed(unavailable);
    await waiting;
    expect(encryptsAt(minute)).toBe(true);
  });

  it('stops waiting when its wait budget is exhausted, and Cloud KMS then counts as unavailable', async () => {
    const { encryptsAt, wait } = refreshing(30);
    await wait();
    expect(encryptsAt(minute)).toBe(true);
  });
});
