import { describe, expect, it, vi } from 'vitest';
import { KmsCodecError, type Observer } from '../src/index.ts';
import type { Payload } from '../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from './support/codec.ts';
import { FakeKeyService } from './support/fake-key-service.ts';

const rule = { pay: { encrypt: cryptoKey('pay') } };
const context = inNamespace('pay');
const minute = 60_000;
const hour = 60 * minute;
/** Lets a call in the background end. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

type Revalidated = Parameters<NonNullable<Observer['keyRevalidated']>>[0];

/** A reader that has decrypted one message of another process. */
async function readerOf(keyService = new FakeKeyService(), limits = {}) {
  const message = await codecWith(rule, { keyService }).codec.encode([json('secret')], context);
  const events: Revalidated[] = [];
  const lookups: string[] = [];
  const observer: Observer = {
    keyRevalidated: (event) => void events.push(event),
    dataKeyLookup: ({ outcome }) => void lookups.push(outcome),
  };
  const reader = codecWith(rule, { keyService, observer, limits, waitMs: { activity: 5_000, other: 5_000 } });
  await reader.codec.decode(message, context);
  return { ...reader, message, keyService, events, lookups };
}

const read = async (codec: Awaited<ReturnType<typeof readerOf>>['codec'], message: Payload[]) =>
  valueOf((await codec.decode(message, context))[0]);

describe('a data key in use', () => {
  it('is confirmed by Cloud KMS in the background, before its 5 minutes are over', async () => {
    const { codec, clock, message, keyService, lookups } = await readerOf();
    for (let n = 0; n < 60; n += 1) {
      clock.time += minute;
      expect(await read(codec, message)).toBe('secret');
      await settle();
    }
    // Each read was answered from memory: no caller waited for Cloud KMS.
    expect(lookups.slice(1)).toEqual(Array(60).fill('hit'));
    expect(keyService.unwraps).toBeGreaterThanOrEqual(60 / 5);
    expect(keyService.unwraps).toBeLessThanOrEqual(60 / 2.5);
  });

  it('is also confirmed by the timer, without a read at that time', async () => {
    const { codec, clock, message, keyService } = await readerOf();
    clock.time += minute;
    await read(codec, message);
    clock.time += 3.1 * minute;
    codec.maintain();
    await settle();
    expect(keyService.unwraps).toBe(2);
  });

  it('costs no call while it is not in use', async () => {
    const { codec, clock, keyService } = await readerOf();
    for (let n = 0; n < 20; n += 1) {
      clock.time += minute;
      codec.maintain();
      await settle();
    }
    expect(keyService.unwraps).toBe(1);
  });

  it('is confirmed after it was unused for longer than 5 minutes, before it is used again', async () => {
    const { codec, clock, message, keyService } = await readerOf();
    clock.time += hour;
    keyService.failing = 'permission_denied';
    await expect(codec.decode(message, context)).rejects.toMatchObject({ code: 'permission_denied' });
  });

  it('is removed at once when Cloud KMS refuses its key version', async () => {
    const { codec, clock, message, keyService, events } = await readerOf();
    keyService.failing = 'key_disabled';
    clock.time += 4.1 * minute;
    // This read starts the call that is refused.
    await read(codec, message);
    await settle();
    await expect(codec.decode(message, context)).rejects.toMatchObject({ code: 'key_disabled' });
    expect(events).toMatchObject([{ outcome: 'refused', code: 'key_disabled', keyVersion: 1 }]);
    keyService.failing = undefined;
    clock.time += 6_000;
    expect(await read(codec, message)).toBe('secret');
  });
});

/** Messages under as many data keys, all decrypted by one reader. */
async function readerOfMany(count: number) {
  const keyService = new FakeKeyService();
  const messages = await Promise.all(
    Array.from({ length: count }, (_, n) => codecWith(rule, { keyService }).codec.encode([json(n)], context)),
  );
  const { codec, clock } = codecWith(rule, { keyService });
  const readAll = () => Promise.all(messages.map((message) => read(codec, message)));
  await readAll();
  return { codec, clock, keyService, readAll, messages };
}

describe('one answer of Cloud KMS', () => {
  it('counts for all data keys under the key version', async () => {
    const { clock, keyService, readAll } = await readerOfMany(50);
    expect(keyService.unwraps).toBe(50);
    for (let n = 0; n < 60; n += 1) {
      clock.time += minute;
      await readAll();
      await settle();
    }
    // A call per data key would be 600 an hour.
    expect(keyService.unwraps - 50).toBeLessThanOrEqual(60 / 2.5);
  });

  it('does not count for another version of the crypto key', async () => {
    const keyService = new FakeKeyService();
    const encrypt = () => codecWith(rule, { keyService }).codec.encode([json('x')], context);
    const first = await encrypt();
    keyService.version = 2;
    const second = await encrypt();
    const { codec, clock } = codecWith(rule, { keyService });
    await codec.decode(first, context);
    clock.time += 4.9 * minute;
    // Opening a message of version 2 says nothing about version 1.
    await codec.decode(second, context);
    clock.time += 0.2 * minute;
    keyService.failing = 'key_disabled';
    await expect(codec.decode(first, context)).rejects.toMatchObject({ code: 'key_disabled' });
  });

  it('that refuses removes all data keys under the key version', async () => {
    const { codec, clock, keyService, readAll, messages } = await readerOfMany(5);
    keyService.failing = 'permission_denied';
    clock.time += 4.1 * minute;
    await read(codec, messages[0]!);
    await settle();
    // A second key has confirmed the refusal.
    expect(keyService.unwraps).toBe(7);
    keyService.failing = undefined;
    clock.time += 6_000;
    await readAll();
    expect(keyService.unwraps).toBe(7 + 5);
  });

  it('does not keep a data key for longer than the hard age unless Cloud KMS unwraps it itself', async () => {
    const { codec, clock, keyService, messages } = await readerOfMany(2);
    const [first, second] = messages;
    for (let n = 0; n < 13 * 20; n += 1) {
      clock.time += 3 * minute;
      await read(codec, second!);
      await settle();
    }
    const before = keyService.unwraps;
    await read(codec, second!);
    await settle();
    expect(keyService.unwraps).toBe(before);
    // The key version was just confirmed, but more than half of the hard age has passed for this data key.
    await read(codec, first!);
    await settle();
    expect(keyService.unwraps).toBe(before + 1);
  });
});

describe('while Cloud KMS does not answer', () => {
  it.each(['kms_unavailable', 'kms_quota', 'checksum_mismatch'] as const)(
    'a data key in use decrypts for 23 hours (%s), and then no more',
    async (code) => {
      const { codec, clock, message, keyService, events, lookups } = await readerOf();
      keyService.failing = code;
      for (let n = 0; n < 23; n += 1) {
        clock.time += hour;
        expect(await read(codec, message)).toBe('secret');
      }
      expect(lookups.at(-1)).toBe('stale');
      expect(events.every(({ outcome }) => outcome === 'unavailable')).toBe(true);
      clock.time += hour;
      codec.maintain();
      const impatient = codec.decode(message, context, { signal: AbortSignal.timeout(50) });
      await expect(impatient).rejects.toThrow();
      keyService.failing = undefined;
      expect(await read(codec, message)).toBe('secret');
    },
  );

  it('a caller waits for at most one second, and only until the outage is known', async () => {
    const { codec, clock, message, keyService } = await readerOf();
    keyService.latencyMs = 60_000;
    clock.time += hour;
    await read(codec, message);
    const answered = keyService.answered;
    const started = performance.now();
    for (let n = 0; n < 1_000; n += 1) await read(codec, message);
    // A thousand waits would take 1,000 s.
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(keyService.answered).toBe(answered);
  });

  it('an answer counts however slow it is: a refusal removes the data key', async () => {
    const { codec, clock, message, keyService, events } = await readerOf();
    keyService.latencyMs = 1_300;
    keyService.failing = 'permission_denied';
    clock.time += hour;
    expect(await read(codec, message)).toBe('secret');
    await vi.waitFor(() => expect(events).toMatchObject([{ outcome: 'refused' }]), { timeout: 20_000 });
    await expect(codec.decode(message, context)).rejects.toMatchObject({ code: 'permission_denied' });
  });

  it('a caller that aborts stops waiting', async () => {
    const { codec, clock, message, keyService } = await readerOf();
    keyService.latencyMs = 60_000;
    clock.time += hour;
    const stop = new AbortController();
    const aborted = codec.decode(message, context, { signal: stop.signal });
    stop.abort(new Error('gone'));
    await expect(aborted).rejects.toThrow('gone');
  });

  it('the process reads what it writes, for as long as it can write', async () => {
    const { codec, clock, keyService } = codecWith(rule);
    await codec.warm('pay');
    keyService.failing = 'kms_unavailable';
    for (let n = 1; n < 24; n += 1) {
      clock.time += hour;
      codec.maintain();
      const own = await codec.encode([json(n)], context);
      expect(await read(codec, own)).toBe(n);
    }
  });

  it('reading many other data keys does not evict the data key that encrypts', async () => {
    const keyService = new FakeKeyService();
    const others = await Promise.all(
      [1, 2, 3].map((n) => codecWith(rule, { keyService }).codec.encode([json(n)], context)),
    );
    const { codec } = codecWith(rule, { keyService, limits: { maxDecryptionKeys: 2 } });
    const own = await codec.encode([json('own')], context);
    for (const message of others) await codec.decode(message, context);
    keyService.failing = 'kms_unavailable';
    expect(await read(codec, own)).toBe('own');
  });

  it('asks again about every 10 seconds, and notices when Cloud KMS answers', async () => {
    const { codec, clock, message, keyService, events } = await readerOf();
    keyService.failing = 'kms_unavailable';
    const asked = keyService.unwraps;
    for (let n = 0; n < 300; n += 1) {
      clock.time += 1_000 + (n === 0 ? hour : 0);
      await read(codec, message);
      await settle();
    }
    expect(keyService.unwraps - asked).toBeGreaterThanOrEqual(300 / 20);
    expect(keyService.unwraps - asked).toBeLessThanOrEqual(300 / 3);
    keyService.failing = undefined;
    for (let n = 0; n < 20; n += 1) {
      clock.time += 1_000;
      await read(codec, message);
      await settle();
    }
    expect(events.at(-1)).toMatchObject({ outcome: 'confirmed' });
  });
});

describe('keyState', () => {
  it('counts down while Cloud KMS does not answer, and names the reason', async () => {
    const { codec, clock, keyService } = codecWith(rule);
    expect(codec.keyState('pay')).toEqual({
      autonomySeconds: 0,
      failure: undefined,
      encryptionKeyAgeSeconds: undefined,
      oldestKeyAgeSeconds: undefined,
    });
    const own = await codec.encode([json('x')], context);
    expect(codec.keyState('pay')).toEqual({
      autonomySeconds: 24 * 3_600,
      failure: undefined,
      encryptionKeyAgeSeconds: 0,
      oldestKeyAgeSeconds: 0,
    });
    keyService.failing = 'kms_unavailable';
    clock.time += hour;
    await codec.encode([json('y')], context);
    await read(codec, own);
    await settle();
    expect(codec.keyState('pay')).toEqual({
      autonomySeconds: 23 * 3_600,
      failure: 'kms_unavailable',
      encryptionKeyAgeSeconds: 3_600,
      oldestKeyAgeSeconds: 3_600,
    });
    keyService.failing = undefined;
    clock.time += minute;
    codec.maintain();
    await vi.waitFor(() => expect(codec.keyState('pay').failure).toBeUndefined());
  });

  it('counts the data keys of other processes that are in use', async () => {
    const { codec, clock, message, keyService } = await readerOf();
    keyService.failing = 'kms_unavailable';
    clock.time += 2 * hour;
    await read(codec, message);
    expect(codec.keyState('pay').failure).toBe('kms_unavailable');
    keyService.failing = undefined;
    await codec.encode([json('own')], context);
    expect(codec.keyState('pay').autonomySeconds).toBe(22 * 3_600);
    expect(codec.keyState('pay')).toMatchObject({
      encryptionKeyAgeSeconds: 0,
      oldestKeyAgeSeconds: 2 * 3_600,
    });
    // Unused for an hour: it does not count any more.
    clock.time += 1.1 * hour;
    expect(codec.keyState('pay').autonomySeconds).toBeGreaterThan(22 * 3_600);
  });

  it('is 0 with the reason while Cloud KMS refuses the key that encrypts, until it accepts the key again', async () => {
    const { codec, clock, keyService } = codecWith(rule);
    const own = await codec.encode([json('x')], context);
    keyService.failing = 'key_disabled';
    clock.time += 4.1 * minute;
    await read(codec, own);
    await settle();
    expect(codec.keyState('pay')).toMatchObject({ autonomySeconds: 0, failure: 'key_disabled' });
    clock.time += minute / 2;
    codec.maintain();
    await settle();
    expect(codec.keyState('pay')).toMatchObject({ autonomySeconds: 0, failure: 'key_disabled' });

    // Nothing decodes meanwhile: a worker that cannot read has stopped to poll.
    keyService.failing = undefined;
    clock.time += minute / 2;
    codec.maintain();
    await vi.waitFor(() => expect(codec.keyState('pay').failure).toBeUndefined());
    expect(codec.keyState('pay').autonomySeconds).toBeGreaterThan(23 * 3_600);
    expect(await read(codec, own)).toBe('x');
  });

  it('has no reason any more if Cloud KMS accepts the key again before the failed refresh is repeated', async () => {
    const { codec, clock, keyService } = codecWith(rule);
    const own = await codec.encode([json('x')], context);
    keyService.failing = 'key_disabled';
    clock.time += 4.1 * minute;
    await read(codec, own);
    await settle();
    clock.time += 5_000;
    codec.maintain();
    await settle();
    expect(codec.keyState('pay').failure).toBe('key_disabled');
    keyService.failing = undefined;
    // Cloud KMS is asked every 10 s after its refusal, and for another key 10 s after that failed.
    clock.time += 6_000;
    codec.maintain();
    await vi.waitFor(() => expect(codec.keyState('pay').autonomySeconds).toBeGreaterThan(0));
    clock.time += 6_000;
    codec.maintain();
    await vi.waitFor(() => expect(codec.keyState('pay').failure).toBeUndefined());
  });

  it('recovers with a key under another version if the version in use stays disabled', async () => {
    const keyService = new RotatedKeyService();
    const { codec, clock } = codecWith(rule, { keyService });
    const own = await codec.encode([json('x')], context);
    keyService.disabled = 1;
    keyService.version = 2;
    clock.time += 4.1 * minute;
    await read(codec, own);
    await settle();
    clock.time += minute / 2;
    codec.maintain();
    await vi.waitFor(() => expect(codec.keyState('pay').failure).toBeUndefined());
    const [message] = await codec.encode([json('y')], context);
    expect(codec.inspect(message!, context)).toMatchObject({ keyVersion: 2 });
    await expect(codec.decode(own, context)).rejects.toMatchObject({ code: 'key_disabled' });
  });
});

/** Cloud KMS that refuses one version of a key. */
class RotatedKeyService extends FakeKeyService {
  disabled = 0;

  override async unwrap(request: Parameters<FakeKeyService['unwrap']>[0]): Promise<Uint8Array> {
    if (request.keyVersion === this.disabled) {
      throw new KmsCodecError('key_disabled', 'refused on demand', { key: request.key });
    }
    return await super.unwrap(request);
  }
}

/** Cloud KMS that holds back chosen answers. */
class HeldKeyService extends FakeKeyService {
  readonly #held = new Set<number>();
  #release: (() => void) | undefined;

  /** Holds back the answer to the next unwrap. @returns a function that lets it end */
  holdNext(): () => void {
    this.#held.add(this.unwraps + 1);
    return () => this.#release?.();
  }

  override async unwrap(request: Parameters<FakeKeyService['unwrap']>[0]): Promise<Uint8Array> {
    const isHeld = this.#held.has(this.unwraps + 1);
    const answer = super.unwrap(request);
    if (isHeld) await new Promise<void>((resolve) => (this.#release = resolve));
    return await answer;
  }
}

describe('a process that only encrypts', () => {
  it('asks Cloud KMS about its key every 5 min, and stops within them when it is refused', async () => {
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

  it('makes no call while it does not encrypt', async () => {
    const { codec, clock, keyService } = codecWith(rule);
    await codec.encode([json('x')], context);
    for (let n = 0; n < 40; n += 1) {
      clock.time += minute;
      codec.maintain();
      await settle();
    }
    expect([keyService.wraps, keyService.unwraps]).toEqual([1, 0]);
  });

  it('continues through an outage after a pause, and waits for it once', async () => {
    const { codec, clock, keyService } = codecWith(rule, { waitMs: { activity: 5_000, other: 5_000 } });
    await codec.encode([json('x')], context);
    keyService.latencyMs = 60_000;
    clock.time += 2 * hour;
    await codec.encode([json('y')], context);
    const { answered } = keyService;
    const started = performance.now();
    for (let n = 0; n < 1_000; n += 1) await codec.encode([json(n)], context);
    // A thousand waits would take 1,000 s.
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(keyService.answered).toBe(answered);
  });
});

/** Cloud KMS for an identity that may wrap and not unwrap. */
function encrypter() {
  const keyService = new FakeKeyService();
  keyService.unwrap = ({ key }) => {
    keyService.unwraps += 1;
    return Promise.reject(new KmsCodecError('permission_denied', 'denied on demand', { key }));
  };
  return codecWith(rule, { keyService });
}

describe('an identity that may only encrypt', () => {
  it('encrypts under one branch key for 45 min, and wraps a key every 5 min to confirm it', async () => {
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

  it('stops within 5 min when it may not encrypt any more', async () => {
    const { codec, clock, keyService } = encrypter();
    for (let n = 0; n < 10; n += 1) {
      await codec.encode([json(n)], context);
      clock.time += minute;
      await settle();
    }
    keyService.failing = 'permission_denied';
    clock.time += 5 * minute;
    await expect(codec.encode([json('late')], context)).rejects.toMatchObject({ code: 'permission_denied' });
    expect(codec.keyState('pay')).toMatchObject({ autonomySeconds: 0, failure: 'permission_denied' });
  });

  it('continues through an outage', async () => {
    const { codec, clock, keyService } = encrypter();
    for (let n = 0; n < 10; n += 1) {
      await codec.encode([json(n)], context);
      clock.time += minute;
      await settle();
    }
    keyService.failing = 'kms_unavailable';
    keyService.unwrap = () => Promise.reject(new KmsCodecError('kms_unavailable', 'failed on demand'));
    for (let n = 0; n < 20; n += 1) {
      clock.time += hour;
      await expect(codec.encode([json(n)], context)).resolves.toHaveLength(1);
    }
  });
});

it('a process that loses only the permission to decrypt is not ready until it gets it back', async () => {
  const { codec, clock, keyService } = codecWith(rule);
  const own = await codec.encode([json('x')], context);
  clock.time += 4.1 * minute;
  await read(codec, own);
  await settle();
  const unwrap = keyService.unwrap.bind(keyService);
  keyService.unwrap = (request) =>
    Promise.reject(new KmsCodecError('permission_denied', 'denied on demand', { key: request.key }));
  clock.time += 4.1 * minute;
  await read(codec, own);
  for (let n = 0; n < 90; n += 1) {
    await settle();
    expect(codec.keyState('pay')).toMatchObject({ autonomySeconds: 0, failure: 'permission_denied' });
    clock.time += minute;
    codec.maintain();
    await codec.encode([json(n)], context);
  }
  await settle();
  keyService.unwrap = unwrap;
  clock.time += 10_000;
  codec.maintain();
  await vi.waitFor(() => expect(codec.keyState('pay')).toMatchObject({ failure: undefined }));
  expect(codec.keyState('pay').autonomySeconds).toBeGreaterThan(0);
});

describe('an answer that takes longer than a second', () => {
  it('is no outage if Cloud KMS has answered a later call under the key version', async () => {
    const keyService = new HeldKeyService();
    const { codec, clock, message } = await readerOf(keyService);
    const other = await codecWith(rule, { keyService }).codec.encode([json('other')], context);
    clock.time += 6 * minute;
    const release = keyService.holdNext();
    const slow = codec.decode(message, context);
    await settle();
    clock.time += 100;
    await codec.decode(other, context);
    await slow;
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    release();
    await settle();
    expect(codec.keyState('pay').failure).toBeUndefined();
    keyService.failing = 'key_disabled';
    clock.time += hour;
    await expect(codec.decode(message, context)).rejects.toMatchObject({ code: 'key_disabled' });
  });

  it('does not keep the codec from asking again, even if it never arrives', async () => {
    const keyService = new HeldKeyService();
    const { codec, clock, message } = await readerOf(keyService);
    clock.time += 6 * minute;
    keyService.holdNext();
    expect(await read(codec, message)).toBe('secret');
    keyService.failing = 'key_disabled';
    clock.time += minute;
    codec.maintain();
    await settle();
    await expect(codec.decode(message, context)).rejects.toMatchObject({ code: 'key_disabled' });
  });
});
