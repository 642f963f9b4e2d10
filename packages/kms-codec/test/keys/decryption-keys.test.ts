import { describe, expect, it } from 'vitest';
import { WaitBudget } from '../../src/keys/wait-budget.ts';
import { newCache, patient } from '../support/decryption.ts';
import { hour, minute, settle } from '../support/fleet.ts';

/* Tests the rules of the key cache that concern several keys, key versions or calls. */

describe('a lookup', () => {
  it('is reported as `hit`, as `miss`, or as `joined` if a call for the key was in flight', async () => {
    const { keys, lookups, wrap } = newCache();
    const { wrapped } = await wrap();
    await Promise.all([keys.unwrap('pay', wrapped, patient()), keys.unwrap('pay', wrapped, patient())]);
    keys.cached('pay', wrapped);
    expect(lookups).toEqual(['miss', 'joined', 'hit']);
  });

  it('returns a confirmed key immediately, even if it also starts a call to confirm the key again', async () => {
    const { keys, keyService, clock, foreign } = newCache();
    const wrapped = await foreign();
    clock.time += 4.1 * minute;
    expect(keys.cached('pay', wrapped)).toBeDefined();
    expect(keyService.unwraps).toBe(2);
  });

  it('returns no key to an activity whose attempt times out while the lookup waits for Cloud KMS', async () => {
    const { keys, clock, foreign } = newCache();
    const wrapped = await foreign();
    clock.time += hour;
    const attempt = { hasEnded: false, wait: () => () => undefined };
    expect(keys.cached('pay', wrapped)).toBeUndefined();
    const found = keys.unwrap('pay', wrapped, new WaitBudget(60_000, {}, { waiting: 0 }, attempt));
    attempt.hasEnded = true;
    await expect(found).rejects.toMatchObject({ code: 'kms_unavailable' });
  });

  it('does not end an outage, even if it decrypts an authentic message that names no version', async () => {
    const { keys, keyService, clock, wrap } = newCache();
    const wrapped = { ...(await wrap()).wrapped, keyVersion: undefined };
    await keys.unwrap('pay', wrapped, patient());
    keyService.failing = 'kms_unavailable';
    clock.time += hour;
    keys.cached('pay', wrapped);
    await keys.unwrap('pay', wrapped, patient());
    keys.authenticated(wrapped);
    expect(keys.state('pay').isFailing).toBe(true);
    expect(keys.cached('pay', wrapped)).toBeDefined();
  });
});

// [C-13]
describe('a Cloud KMS response for a key', () => {
  it.each(['foreign', 'own'] as const)(
    'counts for other keys under the same version (%s key)',
    async (of) => {
      const { keys, clock, foreign, ...cache } = newCache();
      const first = await foreign();
      const second = await { foreign, own: cache.own }[of]();
      clock.time += 6 * minute;
      expect(keys.isReady(first)).toBe(false);
      await keys.confirm('pay', second, patient());
      expect(keys.isReady(first)).toBe(true);
    },
  );

  it('counts for other keys only once a message under the key is authentic, because an attacker can name a version', async () => {
    const { keys, clock, foreign, wrap } = newCache();
    const first = await foreign();
    const { wrapped } = await wrap();
    clock.time += 6 * minute;
    await keys.unwrap('pay', wrapped, patient());
    expect(keys.isReady(first)).toBe(false);
    keys.authenticated(wrapped);
    expect(keys.isReady(first)).toBe(true);
  });

  it('counts for other keys once this process encrypts with the key, because its version is then certain', async () => {
    const { keys, clock, foreign, wrap } = newCache();
    const first = await foreign();
    const { wrapped, key } = await wrap();
    clock.time += 6 * minute;
    await keys.unwrap('pay', wrapped, patient());
    keys.add('pay', wrapped, key, clock.time);
    expect(keys.isReady(first)).toBe(true);
  });

  it('does not confirm other keys if Cloud KMS has only wrapped the key, because this process may have lost the permission to unwrap', async () => {
    const { keys, clock, foreign, own } = newCache();
    const first = await foreign();
    clock.time += 6 * minute;
    await own();
    expect(keys.isReady(first)).toBe(false);
  });

  it('counts only for this key if authentic messages name different versions', async () => {
    const { keys, clock, foreign } = newCache();
    const several = [await foreign(1), await foreign(1)] as const;
    for (const wrapped of several) {
      const named = { ...wrapped, keyVersion: 2 };
      await keys.unwrap('pay', named, patient());
      keys.authenticated(named);
    }
    clock.time += 6 * minute;
    await foreign(1);
    await foreign(2);
    expect(several.map((wrapped) => keys.isReady(wrapped))).toEqual([false, false]);
    await keys.confirm('pay', several[0], patient());
    expect(several.map((wrapped) => keys.isReady(wrapped))).toEqual([true, false]);
  });

  it('also confirms keys that were cached before the timer last fired', async () => {
    const { keys, clock, foreign } = newCache();
    const first = await foreign();
    keys.maintain();
    clock.time += 6 * minute;
    await foreign();
    expect(keys.isReady(first)).toBe(true);
  });
});

describe('one of this process’s own keys', () => {
  it('may encrypt only while the key is cached', async () => {
    const { keys, clock, wrap, own } = newCache();
    expect(keys.mayUse((await wrap()).wrapped, clock.time)).toBe(false);
    expect(keys.mayUse(await own(), clock.time)).toBe(true);
  });

  it('still counts as the process’s own key for its namespace if a message names another version or namespace', async () => {
    const { keys, clock, own } = newCache();
    const writing = await own();
    await keys.confirm('ship', { ...writing, keyVersion: 7 }, patient());
    expect(keys.mayUse(writing, clock.time)).toBe(true);
    expect([keys.state('pay').oldestMs, keys.state('ship').oldestMs]).toEqual([0, undefined]);
  });

  it('gives callers a confirmation to wait for only while a call is in flight', async () => {
    const { keys, clock, own, wrap } = newCache();
    const writing = await own();
    expect(keys.revalidated(writing, patient())).toBeUndefined();
    expect(keys.revalidated((await wrap()).wrapped, patient())).toBeUndefined();
    clock.time += 4.1 * minute;
    keys.mayUse(writing, clock.time);
    const confirmed = keys.revalidated(writing, patient());
    expect(confirmed).toBeDefined();
    await confirmed;
    expect(keys.revalidated(writing, patient())).toBeUndefined();
  });

  it('counts only once, with its latest confirmation, if it was cached for decryption before it became one of the process’s own keys', async () => {
    const { keys, clock, wrap } = newCache();
    const { wrapped, key } = await wrap();
    const wrappedAt = clock.time;
    clock.time += minute;
    await keys.unwrap('pay', wrapped, patient());
    keys.add('pay', wrapped, key, wrappedAt);
    expect(keys.state('pay').oldestMs).toBe(0);
    clock.time += 4.1 * minute;
    keys.mayUse(wrapped, clock.time);
    await settle();
    keys.add('pay', wrapped, key, wrappedAt);
    expect(keys.state('pay').oldestMs).toBe(0);
  });
});

it('a call that did not start, because its callers gave up while it waited for a slot, does not count as refused', async () => {
  const { keys, keyService, wrap } = newCache({ callsInFlight: 1 });
  const [{ wrapped: first }, { wrapped: second }] = [await wrap(), await wrap()];
  const release = keyService.hold();
  const inFlight = keys.unwrap('pay', first, patient());
  const gone = patient();
  const queued = keys.unwrap('pay', second, gone);
  gone.fail();
  await expect(queued).rejects.toMatchObject({ code: 'kms_unavailable' });
  release();
  await inFlight;
  expect(keys.hasFailed(second)).toBe(false);
  expect(keys.cached('pay', second)).toBeUndefined();
});

// [C-14]
describe('a cached key', () => {
  it.each(['timer', 'next use'] as const)('is evicted by the %s at its hard age', async (event) => {
    const { keys, clock, foreign } = newCache();
    const wrapped = await foreign();
    const end = () => (event === 'timer' ? keys.maintain() : keys.cached('pay', wrapped));
    clock.time += 24 * hour - 1;
    end();
    expect(keys.state('pay').oldestMs).toBe(24 * hour - 1);
    clock.time += 1;
    end();
    expect(keys.state('pay').oldestMs).toBeUndefined();
  });

  it('is not confirmed by the timer before a confirmation is due', async () => {
    const { keys, keyService, clock, foreign } = newCache();
    const wrapped = await foreign();
    clock.time += minute;
    keys.cached('pay', wrapped);
    keys.maintain();
    await settle();
    expect(keyService.unwraps).toBe(1);
  });

  it('counts towards its namespace’s autonomy until it has been unused for the soft age', async () => {
    const { keys, clock, foreign } = newCache();
    await foreign();
    const none = { autonomyMs: Number.POSITIVE_INFINITY, isFailing: false, oldestMs: undefined };
    expect(keys.state('ship')).toEqual(none);
    clock.time += hour - 1;
    expect(keys.state('pay').autonomyMs).toBe(23 * hour + 1);
    clock.time += 1;
    expect(keys.state('pay')).toEqual({ ...none, oldestMs: hour });
  });

  it('leaves memory when the cache is cleared, like refused keys and failures', async () => {
    const { keys, keyService, clock, foreign, own, wrap } = newCache();
    const [other, writing] = [await foreign(2), await own(1)];
    keyService.disabled.add(1);
    clock.time += 4.1 * minute;
    keys.mayUse(writing, clock.time);
    await settle();
    const { wrapped: failed } = await wrap(1);
    await expect(keys.unwrap('pay', failed, patient())).rejects.toMatchObject({ code: 'key_disabled' });
    const known = () => [keys.isReady(other), keys.refused.codeOf(writing), keys.hasFailed(failed)];
    expect(known()).toEqual([true, 'key_disabled', true]);
    keys.clear();
    expect(known()).toEqual([false, undefined, false]);
  });
});
