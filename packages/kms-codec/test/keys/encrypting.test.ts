import { describe, expect, it } from 'vitest';
import { codecWith, json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { branchOf, context, fleetOf, hour, minute, settle } from '../support/fleet.ts';
import { rule } from '../support/reader.ts';

describe('a process that only encrypts', () => {
  // [C-7]
  it('confirms its key with Cloud KMS at least every 5 min, and stops within 5 min of a refusal', async () => {
    const { codec, clock, keyService } = codecWith(rule);
    for (let n = 0; n < 40; n += 1) {
      await codec.encode([json(n)], context);
      clock.time += minute;
      await settle();
    }
    expect(keyService.wraps).toBe(1);
    expect(keyService.unwraps).toBeGreaterThanOrEqual(40 / 5 - 1);
    expect(keyService.unwraps).toBeLessThanOrEqual(40 / 2.5);
    keyService.failing = 'key_disabled';
    clock.time += 5 * minute;
    await expect(codec.encode([json('late')], context)).rejects.toMatchObject({ code: 'key_disabled' });
  });

  it('waits for the confirmation of its key after a pause, and needs no other key', async () => {
    const { codec, clock, keyService } = codecWith(rule, { waitMs: { other: 60_000 } });
    await codec.encode([json('x')], context);
    clock.time += 10 * minute;
    const release = keyService.hold();
    const encoded = codec.encode([json('y')], context);
    await settle();
    release();
    await encoded;
    expect([keyService.wraps, keyService.unwraps]).toEqual([1, 1]);
  });

  it('makes no Cloud KMS calls while it is not encrypting', async () => {
    const { codec, clock, keyService } = codecWith(rule);
    await codec.encode([json('x')], context);
    for (let n = 0; n < 40; n += 1) {
      clock.time += minute;
      codec.maintain();
      await settle();
    }
    expect([keyService.wraps, keyService.unwraps]).toEqual([1, 0]);
  });

  it('continues to encrypt during an outage after a pause, and waits only once', async () => {
    const { codec, clock, keyService } = codecWith(rule, { waitMs: { activity: 60_000, other: 60_000 } });
    await codec.encode([json('x')], context);
    keyService.latencyMs = 60_000;
    clock.time += 2 * hour;
    await codec.encode([json('y')], context);
    const { answered } = keyService;
    const started = performance.now();
    for (let n = 0; n < 1_000; n += 1) await codec.encode([json(n)], context);
    // If each of a thousand encodes waited, they would take 1,000 s.
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(keyService.answered).toBe(answered);
  });
});

/** Returns the codec of an identity that may wrap but not unwrap. */
function encrypter() {
  const keyService = new FakeKeyService();
  Object.assign(keyService, { failing: 'permission_denied', affected: 'unwrap' });
  return codecWith(rule, { keyService });
}

describe('an identity that may only encrypt', () => {
  // [C-10]
  it('encrypts under one branch key for 45 min, and makes Cloud KMS wrap a key at least every 5 min to confirm the branch key', async () => {
    const { codec, clock, keyService } = encrypter();
    const keys = new Set<string>();
    for (let n = 0; n < 40; n += 1) {
      const [message] = await codec.encode([json(n)], context);
      keys.add(Buffer.from(message!.data!).subarray(60, 100).toString('hex'));
      clock.time += minute;
      codec.maintain();
      await settle();
    }
    expect(keys.size).toBe(1);
    expect(keyService.wraps).toBeGreaterThanOrEqual(40 / 5);
    expect(keyService.wraps).toBeLessThanOrEqual(40 / 2.5);
    expect(keyService.unwraps).toBeLessThanOrEqual(40 / 2.5);
    expect(codec.keyState('pay')).toMatchObject({ failure: undefined });
    expect(codec.keyState('pay').autonomySeconds).toBeGreaterThan(23 * 3_600);
  });

  it('replaces its branch key before the soft age', async () => {
    const { codec, clock } = encrypter();
    const keys = new Set<string>();
    for (let n = 0; n <= 60; n += 1) {
      const [message] = await codec.encode([json(n)], context);
      keys.add(branchOf(message!));
      clock.time += minute;
      await settle();
    }
    expect(keys.size).toBe(2);
  });

  it('encrypts under a new primary version within 5 min', async () => {
    const { codec, clock, keyService } = encrypter();
    await codec.encode([json('x')], context);
    keyService.version = 2;
    clock.time += 5 * minute;
    const [message] = await codec.encode([json('y')], context);
    expect(codec.inspect(message!, context)).toMatchObject({ keyVersion: 2 });
  });

  it('continues to encrypt during an outage', async () => {
    const { codec, clock, keyService } = encrypter();
    for (let n = 0; n < 10; n += 1) {
      await codec.encode([json(n)], context);
      clock.time += minute;
      await settle();
    }
    Object.assign(keyService, { failing: 'kms_unavailable', affected: undefined });
    for (let n = 0; n < 20; n += 1) {
      clock.time += hour;
      await expect(codec.encode([json(n)], context)).resolves.toHaveLength(1);
    }
  });
});

it('a process does not replace a refused key with another key that Cloud KMS does not unwrap', async () => {
  const { codec, clock, keyService } = codecWith(rule);
  await codec.encode([json('x')], context);
  // Cloud KMS still wraps keys under this version.
  keyService.disabled.add(1);
  clock.time += 4.1 * minute;
  await codec.encode([json('y')], context);
  await settle();
  clock.time += minute;
  await expect(codec.encode([json('z')], context)).rejects.toMatchObject({ code: 'key_disabled' });
  expect(keyService.wraps).toBeGreaterThan(1);
});

/** Returns a key service, and the time of its last successful response. */
function confirmingKeyService(clock: { readonly time: number }) {
  const keyService = new FakeKeyService();
  const unwrap = keyService.unwrap.bind(keyService);
  const last = { confirmed: 0 };
  keyService.unwrap = async (request) => {
    const [started, key] = [clock.time, await unwrap(request)];
    last.confirmed = started;
    return key;
  };
  return { keyService, last };
}

describe.each(['permission_denied', 'key_disabled', 'key_destroyed'] as const)(
  'a branch key that Cloud KMS refuses (%s)',
  (code) => {
    /** Encrypts every 15 s until Cloud KMS refuses the key. @returns when the key last encrypted */
    async function encryptUntilRefused(encode: () => Promise<unknown>, clock: { time: number }) {
      for (;;) {
        try {
          await encode();
        } catch (error) {
          expect(error).toMatchObject({ code });
          return clock.time - 15_000;
        }
        await settle();
        clock.time += 15_000;
      }
    }

    it('may encrypt past its soft age if Cloud KMS refuses the next key shortly before that age', async () => {
      const clock = { time: 1_790_000_000_000 };
      const { keyService, last } = confirmingKeyService(clock);
      const fleet = fleetOf(1, { keyService, clock });
      const foreign = await codecWith(rule, { keyService }).codec.encode([json('x')], context);
      const end = clock.time + 56 * minute;
      while (clock.time < end) {
        await fleet.encrypt();
        await fleet.pass(15_000);
      }
      // Prevents the process from returning to a key that it obtained earlier.
      fleet.store.values.clear();
      // This decode confirms the key version.
      await fleet.codecs[0]!.decode(foreign, context);
      keyService.failing = code;
      expect((await encryptUntilRefused(() => fleet.encrypt(), clock)) - last.confirmed).toBe(4.75 * minute);
    });

    // [C-9] [C-3]
    it('may encrypt for 5 min after its last confirmation if Cloud KMS refuses its first refresh past the soft age', async () => {
      const clock = { time: 1_000_000 };
      const { keyService, last } = confirmingKeyService(clock);
      const { codec } = codecWith(rule, { keyService, now: () => clock.time });
      const encode = () => codec.encode([json('x')], context);
      await encode();
      clock.time += 0.65 * hour;
      await encode();
      Object.assign(keyService, { failing: 'kms_unavailable', affected: 'wrap' });
      clock.time += 0.33 * hour;
      await encode();
      await settle();
      clock.time += 2 * minute;
      Object.assign(keyService, { failing: code, affected: undefined });
      expect((await encryptUntilRefused(encode, clock)) - last.confirmed).toBe(4.75 * minute);
      expect(codec.keyState('pay')).toMatchObject({ autonomySeconds: 0, failure: code });
    });
  },
);

it('encrypts for 5 min after the last successful wrap, if the identity may only encrypt', async () => {
  const { codec, clock, keyService } = encrypter();
  let wrapped = 0;
  for (const end = clock.time + 20 * minute; clock.time < end; clock.time += minute / 2) {
    const { wraps } = keyService;
    await codec.encode([json('x')], context);
    await settle();
    if (keyService.wraps > wraps) wrapped = clock.time;
  }
  keyService.affected = undefined;
  let last = 0;
  for (; clock.time <= wrapped + 6 * minute; clock.time += minute / 4) {
    await codec.encode([json('x')], context).then(
      () => (last = clock.time),
      () => undefined,
    );
    await settle();
  }
  expect(last - wrapped).toBeGreaterThan(4.5 * minute);
  expect(last - wrapped).toBeLessThan(5 * minute);
  expect(codec.keyState('pay')).toMatchObject({ autonomySeconds: 0, failure: 'permission_denied' });
});
