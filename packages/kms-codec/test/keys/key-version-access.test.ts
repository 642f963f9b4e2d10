import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { wrappedKey } from '../../src/crypto/wrapped-key.ts';
import { KmsCodecError } from '../../src/errors.ts';
import type { UnwrapRequest } from '../../src/keys/key-service.ts';
import { KeyVersionAccess, type Probe } from '../../src/keys/key-version-access.ts';
import { WaitBudget } from '../../src/keys/wait-budget.ts';
import { cryptoKey } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { minute, settle } from '../support/fleet.ts';
import { keyContextOf } from '../support/key-context.ts';

const second = 1_000;
const start = 1_000_000;

afterEach(() => {
  vi.restoreAllMocks();
});

/**
 * Answers each call with the next of the given results. If there is no result left, the call gets no
 * response.
 */
class Answering extends FakeKeyService {
  readonly requests: UnwrapRequest[] = [];
  readonly results: (Uint8Array | Error | Promise<Uint8Array>)[] = [];

  override async unwrap(request: UnwrapRequest): Promise<Uint8Array> {
    this.requests.push(request);
    const result = this.results.shift() ?? new Promise<Uint8Array>(() => undefined);
    if (result instanceof Error) throw result;
    return await result;
  }
}

const probeOf = (byte: number, keyVersion = 1): Probe => {
  const wrapped = Uint8Array.of(byte);
  const key = { cryptoKey: cryptoKey('pay'), aad: new Uint8Array(), wrapped, keyVersion, isBranchKey: true };
  return { namespace: 'pay', wrappedKey: wrappedKey(key), confirmed: 0 };
};
const probe = probeOf(1);
const other = probeOf(2);

/** Returns the access to a key version, which Cloud KMS last confirmed a second ago. */
function accessTo(keyVersion: number | undefined, another?: Probe) {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const clock = { time: start };
  const keyService = new Answering();
  const keyRevalidated = vi.fn();
  const context = keyContextOf({ clock, keyService, observer: { keyRevalidated } });
  const refused = vi.fn();
  const options = { context, unwrapped: () => undefined, another: () => another, refused };
  const of = { cryptoKey: cryptoKey('pay'), keyVersion, confirmed: start - second };
  const access = new KeyVersionAccess(of, options);
  const { requests, results } = keyService;
  /** Starts an attempt, if one may start. @returns the number of calls so far */
  const revalidateAt = async (ms: number) => {
    clock.time = start + ms;
    access.revalidate(probe);
    await settle(3);
    return requests.length;
  };
  return { access, clock, requests, results, refused, keyRevalidated, revalidateAt };
}

const unavailable = () => new KmsCodecError('kms_unavailable', 'no response');
const disabled = (keyVersion?: number) => new KmsCodecError('key_disabled', 'disabled', { keyVersion });

describe('the last confirmation of a key version', () => {
  it.each([
    [0, 150],
    [0.5, 195],
    [1, 240],
  ])('is renewed after a random share of 5 min (random number %d: %i s)', (random, after) => {
    const { access } = accessTo(1);
    vi.spyOn(Math, 'random').mockReturnValue(random);
    access.confirm(start);
    expect(access.revalidateAt).toBeCloseTo(start + after * second, 3);
  });

  it('is not replaced by the response to an earlier call', () => {
    const { access } = accessTo(1);
    access.confirm(start);
    const { revalidateAt } = access;
    access.confirm(start - 1);
    expect([access.confirmed, access.revalidateAt]).toEqual([start, revalidateAt]);
  });

  it('wipes the bytes of the key that Cloud KMS has unwrapped', async () => {
    const { access, results, revalidateAt } = accessTo(1);
    const bytes = Uint8Array.of(1, 2, 3);
    results.push(bytes);
    await revalidateAt(0);
    expect([access.confirmed, ...bytes]).toEqual([start, 0, 0, 0]);
  });

  it.each([
    [2, 2],
    [undefined, 1],
  ])(
    'is reported for the version that is known (%s), not the version that a message names',
    async (known, version) => {
      const { requests, results, keyRevalidated, revalidateAt } = accessTo(known);
      results.push(unavailable());
      await revalidateAt(0);
      expect(requests).toMatchObject([{ keyVersion: version }]);
      expect(keyRevalidated).toHaveBeenCalledExactlyOnceWith({
        namespace: 'pay',
        key: cryptoKey('pay'),
        keyVersion: version,
        outcome: 'unavailable',
        code: 'kms_unavailable',
      });
    },
  );
});

describe('an attempt without a response', () => {
  it('counts as an outage for a minute, and is repeated after a random time of 10 s on average', async () => {
    const { access, clock, results, revalidateAt } = accessTo(1);
    results.push(unavailable(), unavailable());
    await revalidateAt(0);
    expect(await revalidateAt(10 * second - 1)).toBe(1);
    expect(await revalidateAt(10 * second)).toBe(2);
    clock.time = start + 70 * second - 1;
    expect(access.isFailing).toBe(true);
    clock.time += 1;
    expect(access.isFailing).toBe(false);
  });

  it('does not count as an outage if Cloud KMS has confirmed the version since the attempt began', async () => {
    const { access, results, revalidateAt } = accessTo(1);
    const { promise, reject } = Promise.withResolvers<Uint8Array>();
    results.push(promise);
    await revalidateAt(0);
    access.confirm(start);
    reject(unavailable());
    await settle(3);
    expect(access.isFailing).toBe(false);
  });

  it('prevents further attempts while it is in flight, and makes callers wait for it', async () => {
    const { access, results, revalidateAt } = accessTo(1);
    const calls = { waiting: 0 };
    const waitBudget = new WaitBudget(5 * minute, {}, calls);
    await access.revalidated(waitBudget);
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    results.push(promise);
    expect([await revalidateAt(0), await revalidateAt(1)]).toEqual([1, 1]);
    const waiting = access.revalidated(waitBudget);
    expect([access.isAsking, calls.waiting]).toEqual([true, 1]);
    resolve(new Uint8Array(1));
    await waiting;
    expect([access.isAsking, calls.waiting]).toEqual([false, 0]);
  });

  it('does not end a later attempt when its response arrives', async () => {
    const { access, results, revalidateAt } = accessTo(1);
    const { promise, reject } = Promise.withResolvers<Uint8Array>();
    results.push(promise);
    await revalidateAt(0);
    // Cloud KMS counts as unavailable after a second without a response.
    await access.revalidated(new WaitBudget(5 * minute));
    expect([access.isAsking, access.isFailing]).toEqual([false, true]);
    expect(await revalidateAt(10 * second)).toBe(2);
    reject(unavailable());
    await settle(3);
    expect(access.isAsking).toBe(true);
  });
});

describe('a refusal', () => {
  it.each([
    ['a known version, if a second key is refused', 2, other, [disabled(2), disabled(2)]],
    ['a known version, if there is no second key', 2, undefined, [disabled(2)]],
    ['an unknown version', undefined, undefined, [disabled(1)]],
    ['the crypto key', 2, undefined, [new KmsCodecError('permission_denied', 'denied')]],
  ])(
    'of %s counts for all keys of the version, and ends the attempts',
    async (_, version, another, answers) => {
      const { access, results, refused, keyRevalidated, revalidateAt } = accessTo(version, another);
      results.push(...answers);
      expect(await revalidateAt(0)).toBe(answers.length);
      const { code } = answers[0]!;
      expect(refused).toHaveBeenCalledExactlyOnceWith(access, code);
      expect(keyRevalidated.mock.lastCall).toMatchObject([{ outcome: 'refused', code }]);
      expect(access.isRefused).toBe(true);
      expect(await revalidateAt(20 * second)).toBe(answers.length);
    },
  );

  it.each([
    ['is of another version', 2, undefined, [disabled(1)]],
    ['is followed by no response for a second key', 2, other, [disabled(2), unavailable()]],
    ['is followed by the refusal of another version', 2, other, [disabled(2), disabled(1)]],
  ])(
    'counts neither for other keys nor as an outage if it %s, and the next use starts another attempt',
    async (_, version, another, answers) => {
      const { access, results, refused, revalidateAt } = accessTo(version, another);
      results.push(...answers);
      await revalidateAt(0);
      expect(refused).toHaveBeenCalledExactlyOnceWith(access, 'key_disabled', probe);
      expect([access.isRefused, access.isFailing]).toEqual([false, false]);
      expect(await revalidateAt(1)).toBe(answers.length + 1);
    },
  );

  it('does not count as an outage after a second, unlike an attempt without a response', async () => {
    const { access, results, revalidateAt } = accessTo(2);
    results.push(disabled(1));
    await revalidateAt(0);
    await sleep(1_100);
    expect(access.isFailing).toBe(false);
  });
});
