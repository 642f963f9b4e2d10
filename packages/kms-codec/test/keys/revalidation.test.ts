import { describe, expect, it } from 'vitest';
import { codecWith, json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { context, hour, minute, settle } from '../support/fleet.ts';
import { read, readerOf, rule } from '../support/reader.ts';

describe('a data key in use', () => {
  // [C-7]
  it('is confirmed by Cloud KMS in the background, before the last confirmation is 5 minutes old', async () => {
    const { codec, clock, message, keyService, lookups } = await readerOf();
    for (let n = 0; n < 60; n += 1) {
      clock.time += minute;
      expect(await read(codec, message)).toBe('secret');
      await settle();
    }
    // All reads were cache hits, so no caller waited for Cloud KMS.
    expect(lookups.slice(1)).toEqual(Array(60).fill('hit'));
    expect(keyService.unwraps).toBeGreaterThanOrEqual(60 / 5);
    expect(keyService.unwraps).toBeLessThanOrEqual(60 / 2.5);
  });

  it('is also confirmed by the timer, even without a read at that time', async () => {
    const { codec, clock, message, keyService } = await readerOf();
    clock.time += minute;
    await read(codec, message);
    clock.time += 3.1 * minute;
    codec.maintain();
    await settle();
    expect(keyService.unwraps).toBe(2);
  });

  it('causes no Cloud KMS calls while it is not in use', async () => {
    const { codec, clock, keyService } = await readerOf();
    for (let n = 0; n < 20; n += 1) {
      clock.time += minute;
      codec.maintain();
      await settle();
    }
    expect(keyService.unwraps).toBe(1);
  });

  it('is confirmed before its next use if it was unused for more than 5 minutes', async () => {
    const { codec, clock, message, keyService } = await readerOf();
    clock.time += hour;
    keyService.failing = 'permission_denied';
    await expect(codec.decode(message, context)).rejects.toMatchObject({ code: 'permission_denied' });
  });

  // [C-8]
  it('is removed immediately when Cloud KMS refuses its key version', async () => {
    const { codec, clock, message, keyService, events } = await readerOf();
    keyService.failing = 'key_disabled';
    clock.time += 4.1 * minute;
    // This read starts the call that Cloud KMS refuses.
    await read(codec, message);
    await settle();
    await expect(codec.decode(message, context)).rejects.toMatchObject({ code: 'key_disabled' });
    expect(events).toMatchObject([{ outcome: 'refused', code: 'key_disabled', keyVersion: 1 }]);
    keyService.failing = undefined;
    clock.time += 6_000;
    expect(await read(codec, message)).toBe('secret');
  });
});

/** Returns messages under `count` data keys, all of which one reader has decrypted. */
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

describe('one Cloud KMS response', () => {
  // [C-13]
  it('counts for all data keys under the same key version', async () => {
    const { clock, keyService, readAll } = await readerOfMany(50);
    expect(keyService.unwraps).toBe(50);
    for (let n = 0; n < 60; n += 1) {
      clock.time += minute;
      await readAll();
      await settle();
    }
    // One call per data key would make 600 calls per hour.
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
    // Decrypting a message under version 2 does not confirm version 1.
    await codec.decode(second, context);
    clock.time += 0.2 * minute;
    keyService.failing = 'key_disabled';
    await expect(codec.decode(first, context)).rejects.toMatchObject({ code: 'key_disabled' });
  });

  // [C-8]
  it('removes all data keys under the key version if it is a refusal', async () => {
    const { codec, clock, keyService, readAll, messages } = await readerOfMany(5);
    keyService.failing = 'permission_denied';
    clock.time += 4.1 * minute;
    await read(codec, messages[0]!);
    await settle();
    // After the refusal for one data key, the codec confirmed the refusal with a second data key.
    expect(keyService.unwraps).toBe(7);
    keyService.failing = undefined;
    clock.time += 6_000;
    await readAll();
    expect(keyService.unwraps).toBe(7 + 5);
  });

  // [C-14]
  it('does not keep a data key in memory beyond the hard age if the response is for another data key', async () => {
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
    // The key version has just been confirmed, but the confirmation of this data key itself is older than
    // half of the hard age.
    await read(codec, first!);
    await settle();
    expect(keyService.unwraps).toBe(before + 1);
  });
});

/** A key service that holds back chosen responses. */
class HeldKeyService extends FakeKeyService {
  readonly #held = new Set<number>();
  #release: (() => void) | undefined;

  /** Holds back the response of the next unwrap. @returns a function that releases the response */
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

describe('a Cloud KMS response that takes longer than a second', () => {
  it('does not count as an outage if Cloud KMS has responded to a later call for the same key version', async () => {
    const keyService = new HeldKeyService();
    const { codec, clock, message } = await readerOf(keyService);
    const other = await codecWith(rule, { keyService }).codec.encode([json('other')], context);
    clock.time += 6 * minute;
    const release = keyService.holdNext();
    const slow = codec.decode(message, context);
    await settle();
    clock.time += 100;
    await codec.decode(other, context);
    // This decode waits until its call counts as slow.
    await slow;
    release();
    await settle();
    expect(codec.keyState('pay').failure).toBeUndefined();
    keyService.failing = 'key_disabled';
    clock.time += hour;
    await expect(codec.decode(message, context)).rejects.toMatchObject({ code: 'key_disabled' });
  });

  it('does not prevent further calls, even if the response never arrives', async () => {
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
