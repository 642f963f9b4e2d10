import { describe, expect, it } from 'vitest';
import type { Payload } from '../../src/formats/payload.ts';
import { codecWith, cryptoKey, json, valueOf } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { context, fleetOf, hour, minute, settle } from '../support/fleet.ts';
import { rule } from '../support/reader.ts';

/*
 * Tests attacks on the rule that a cached key decrypts only while Cloud KMS lets this process use the key's
 * version.
 */

/** Returns another process's message, whose branch key is wrapped under a key version. */
async function messageUnder(keyService: FakeKeyService, version: number): Promise<Payload> {
  keyService.version = version;
  const [message = {}] = await codecWith(rule, { keyService }).codec.encode([json('secret')], context);
  return message;
}

/** Returns a copy of a message whose header names another key version. The copy fails authentication. */
function naming({ metadata, data }: Payload, version: number): Payload {
  const copy = Buffer.from(data ?? []);
  copy.writeUInt32BE(version, 10);
  return { metadata: metadata ?? null, data: copy };
}

/**
 * Returns a process that has read a message under version 2, and that reads the message again every minute.
 */
async function readerOfVersion2() {
  const keyService = new FakeKeyService();
  const message = await messageUnder(keyService, 1);
  const other = await messageUnder(keyService, 2);
  const { codec, clock } = codecWith(rule, { keyService });
  const read = async (payload: Payload) => valueOf((await codec.decode([payload], context))[0]);
  const forge = () => expect(read(naming(message, 2))).rejects.toMatchObject({ code: 'integrity_failed' });
  const pass = async (minutes: number) => {
    for (let n = 0; n < minutes; n += 1) {
      clock.time += minute;
      expect(await read(other)).toBe('secret');
      await settle();
    }
  };
  await read(other);
  return { keyService, message, other, read, forge, pass, clock };
}

// [C-13]
describe('a message whose header was changed to name another key version', () => {
  it.each([
    ['arrives before the genuine message', ['forge', 'read']],
    ['arrives after the genuine message', ['read', 'forge']],
    ['arrives but the genuine message does not', ['forge']],
  ] as const)('does not keep a disabled version readable when it %s', async (_, steps) => {
    const { keyService, message, read, forge, pass } = await readerOfVersion2();
    for (const step of steps)
      await (step === 'forge' ? forge() : expect(read(message)).resolves.toBe('secret'));
    keyService.disabled.add(1);
    await pass(6);
    await expect(read(message)).rejects.toMatchObject({ code: 'key_disabled' });
  });

  it('does not keep other messages under the named version readable once that version is disabled', async () => {
    const { keyService, other, read, forge, clock } = await readerOfVersion2();
    keyService.disabled.add(2);
    for (let n = 0; n < 6; n += 1) {
      await forge();
      clock.time += minute;
      await settle();
    }
    await expect(read(other)).rejects.toMatchObject({ code: 'key_disabled' });
  });

  it('causes no further calls, and neither does the genuine message', async () => {
    const { keyService, message, read, forge } = await readerOfVersion2();
    for (let n = 0; n < 20; n += 1) {
      await forge();
      expect(await read(message)).toBe('secret');
    }
    expect(keyService.unwraps).toBe(2);
  });
});

/** Returns a message whose branch key is of version 1, but whose author names version 2. */
async function lie(keyService: FakeKeyService): Promise<Payload> {
  keyService.version = 1;
  keyService.named = 2;
  const [message = {}] = await codecWith(rule, { keyService }).codec.encode([json('lie')], context);
  keyService.named = undefined;
  keyService.version = 2;
  return message;
}

const liesTo = async (keyService: FakeKeyService, count: number): Promise<Payload[]> => {
  const lies: Payload[] = [];
  while (lies.length < count) lies.push(await lie(keyService));
  return lies;
};

/**
 * Returns a process that writes and reads under version 2, and that has read messages which falsely name
 * version 2.
 */
async function writerOfVersion2(lies: number) {
  const keyService = new FakeKeyService();
  const lying = await liesTo(keyService, lies);
  const other = await messageUnder(keyService, 2);
  const process = codecWith(rule, { keyService });
  const own = await process.codec.encode([json('own')], context);
  const read = async (payload: Payload) => valueOf((await process.codec.decode([payload], context))[0]);
  for (const one of [other, ...lying]) await read(one);
  return { ...process, keyService, lying, other, own: own[0]!, read };
}

// [C-8] [C-13]
describe('a message whose author falsely names key version 2', () => {
  it.each([1, 3])(
    'does not cause the removal of version 2’s keys when the message’s real version is disabled (%i such messages)',
    async (lies) => {
      const { codec, clock, keyService, lying, other, own, read } = await writerOfVersion2(lies);
      keyService.disabled.add(1);
      for (const one of lying) {
        clock.time += 4.1 * minute;
        // This read starts the call that Cloud KMS refuses.
        await read(one);
        await settle();
      }
      expect(codec.keyState('pay')).toMatchObject({ failure: undefined });
      expect(codec.keyState('pay').autonomySeconds).toBeGreaterThan(0);
      const { unwraps, wraps } = keyService;
      expect([await read(own), await read(other)]).toEqual(['own', 'secret']);
      await codec.encode([json('next')], context);
      expect([keyService.unwraps, keyService.wraps]).toEqual([unwraps, wraps]);
      await expect(read(lying[0]!)).rejects.toMatchObject({ code: 'key_disabled' });
    },
  );

  it.each([1, 20])(
    'does not cause the removal of keys in a process that only reads (%i such messages)',
    async (lies) => {
      const keyService = new FakeKeyService();
      const lying = await liesTo(keyService, lies);
      const other = await messageUnder(keyService, 2);
      const lookups: string[] = [];
      const observer = { dataKeyLookup: ({ outcome }: { outcome: string }) => void lookups.push(outcome) };
      const { codec, clock } = codecWith(rule, { keyService, observer });
      await codec.decode([...lying, other], context);
      keyService.disabled.add(1);
      clock.time += 4.1 * minute;
      for (const one of lying) {
        await codec.decode([one], context);
        await settle();
      }
      lookups.length = 0;
      await codec.decode([other], context);
      expect(lookups).toEqual(['hit']);
    },
  );

  it('lets a process with a key from the store continue to encrypt when the message’s real version is disabled', async () => {
    const keyService = new FakeKeyService();
    keyService.named = 2;
    const fleet = fleetOf(1, { keyService });
    await fleet.encrypt();
    keyService.named = undefined;
    keyService.version = 2;
    const codec = fleet.start();
    const [first] = await codec.encode([json('x')], context);
    expect(fleet.codecs[0]!.inspect(first!, context)).toMatchObject({ keyVersion: 2 });
    keyService.disabled.add(1);
    for (let n = 0; n < 6; n += 1) {
      await fleet.pass(minute);
      await codec.encode([json('x')], context).catch(() => undefined);
    }
    const [message] = await codec.encode([json('later')], context);
    expect(valueOf((await codec.decode([message!], context))[0])).toBe('later');
    expect(codec.keyState('pay').autonomySeconds).toBeGreaterThan(0);
  });

  it('does not keep version 2’s keys in memory when both versions are disabled', async () => {
    const { codec, clock, keyService, lying, own, other, read } = await writerOfVersion2(1);
    keyService.disabled.add(1).add(2);
    clock.time += 4.1 * minute;
    await read(lying[0]!);
    await settle();
    for (const one of [own, other]) await expect(read(one)).rejects.toMatchObject({ code: 'key_disabled' });
    expect(codec.keyState('pay')).toMatchObject({ autonomySeconds: 0, failure: 'key_disabled' });
  });
});

describe('DecodePlan.kmsCalls', () => {
  it('counts keys that Cloud KMS must confirm, because Cloud KMS may refuse each of them', async () => {
    const keyService = new FakeKeyService();
    const messages = await Promise.all(Array.from({ length: 100 }, () => messageUnder(keyService, 1)));
    const { codec, clock } = codecWith(rule, { keyService });
    await codec.decode(messages, context);
    expect(codec.plan(messages, context).kmsCalls).toBe(0);
    clock.time += 6 * minute;
    const { kmsCalls } = codec.plan(messages, context);
    const before = keyService.unwraps;
    keyService.failing = 'key_disabled';
    const decoded = await Promise.allSettled(messages.map((message) => codec.decode([message], context)));
    expect(decoded.every(({ status }) => status === 'rejected')).toBe(true);
    expect(keyService.unwraps - before).toBeGreaterThan(1);
    // Allows two more calls: one that revalidates, and one that confirms the refusal.
    expect(keyService.unwraps - before).toBeLessThanOrEqual(kmsCalls + 2);
  });

  it('counts each key whose version is unknown, because each such key needs a separate response', async () => {
    const keyService = new FakeKeyService();
    const envelope = { pay: { encrypt: cryptoKey('pay'), reads: ['envelope' as const] } };
    const write = async () => {
      const { codec } = codecWith(envelope, { keyService, format: 'envelope' });
      return (await codec.encode([json('secret')], context))[0] ?? {};
    };
    const messages = await Promise.all(Array.from({ length: 100 }, write));
    const { codec, clock } = codecWith(envelope, { keyService });
    await codec.decode(messages, context);
    clock.time += 6 * minute;
    const { kmsCalls } = codec.plan(messages, context);
    const before = keyService.unwraps;
    await codec.decode(messages, context);
    expect(keyService.unwraps - before).toBe(100);
    expect(kmsCalls).toBe(100);
  });

  it('does not count keys that are usable during an outage', async () => {
    const keyService = new FakeKeyService();
    const message = await messageUnder(keyService, 1);
    const { codec, clock } = codecWith(rule, { keyService, waitMs: { activity: 5_000, other: 5_000 } });
    await codec.decode([message], context);
    clock.time += 6 * minute;
    keyService.failing = 'kms_unavailable';
    await codec.decode([message], context);
    expect(codec.plan([message], context).kmsCalls).toBe(0);
  });
});

describe('a key with which this process has encrypted', () => {
  it('leaves memory a day after Cloud KMS wrapped it, if it is no longer in use', async () => {
    const keyService = new FakeKeyService();
    const { codec, clock } = codecWith(rule, { keyService });
    const [first = {}] = await codec.encode([json('first')], context);
    // The key version stays in use, so Cloud KMS confirms it every few minutes.
    for (let n = 0; n < 26 * 15; n += 1) {
      clock.time += 4 * minute;
      const encoded = await codec.encode([json('later')], context);
      await codec.decode(encoded, context);
      codec.maintain();
      await settle();
    }
    const before = keyService.unwraps;
    expect(codec.plan([first], context).kmsCalls).toBe(1);
    await codec.decode([first], context);
    expect(keyService.unwraps).toBe(before + 1);
  });
});

it.each(['envelope-v2', 'envelope'] as const)(
  'a payload that waits for memory while Cloud KMS refuses its key is not decrypted (%s)',
  async (format) => {
    const keyService = new FakeKeyService();
    const reads = { pay: { ...rule.pay, reads: [format] } };
    const message = await codecWith(reads, { keyService, format }).codec.encode([json('secret')], context);
    const { codec, clock } = codecWith(reads, { keyService });
    await codec.decode(message, context);
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = codec.decode(message, context, { budget: { reserve: () => promise } });
    keyService.failing = 'key_disabled';
    clock.time += hour;
    resolve();
    await expect(waiting).rejects.toMatchObject({ code: 'key_disabled' });
  },
);

// [C-6]
describe('a process whose clock is set back', () => {
  it('decrypts with a refused key for no longer than a process whose clock is right', async () => {
    const keyService = new FakeKeyService();
    const message = await messageUnder(keyService, 1);
    const { codec, clock } = codecWith(rule, { keyService });
    await codec.decode([message], context);
    clock.time -= 10 * hour;
    codec.maintain();
    keyService.failing = 'key_disabled';
    clock.time += 6 * minute;
    await expect(codec.decode([message], context)).rejects.toMatchObject({ code: 'key_disabled' });
  });

  it('encrypts with a branch key for no longer than a process whose clock is right', async () => {
    const keyService = new FakeKeyService();
    const { codec, clock } = codecWith(rule, { keyService });
    await codec.encode([json('first')], context);
    clock.time -= 48 * hour;
    codec.maintain();
    keyService.failing = 'permission_denied';
    for (let n = 0; n < 66; n += 1) {
      clock.time += minute;
      codec.maintain();
      await settle();
    }
    await expect(codec.encode([json('later')], context)).rejects.toMatchObject({ code: 'permission_denied' });
  });
});
