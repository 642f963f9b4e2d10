import { describe, expect, it, vi } from 'vitest';
import { codecWith, json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { context, hour, settle } from '../support/fleet.ts';
import { read, readerOf, rule } from '../support/reader.ts';

describe('while Cloud KMS does not respond,', () => {
  // [C-11]
  it.each(['kms_unavailable', 'kms_quota', 'checksum_mismatch'] as const)(
    'a data key in use decrypts for 23 hours (%s), but no longer',
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

  // [C-12]
  it('the first callers wait for at most one second, and later callers do not wait', async () => {
    const { codec, clock, message, keyService } = await readerOf();
    keyService.latencyMs = 60_000;
    clock.time += hour;
    await read(codec, message);
    const answered = keyService.answered;
    const started = performance.now();
    for (let n = 0; n < 1_000; n += 1) await read(codec, message);
    // If each of a thousand decodes waited, they would take 1,000 s.
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(keyService.answered).toBe(answered);
  });

  it('a refusal that arrives late still removes the data key', async () => {
    const { codec, clock, message, keyService, events } = await readerOf();
    const release = keyService.hold();
    keyService.failing = 'permission_denied';
    clock.time += hour;
    expect(await read(codec, message)).toBe('secret');
    release();
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

  it('the process can read its own messages for as long as it can write', async () => {
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

  it('decryption with many other data keys does not evict the data key that encrypts', async () => {
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

  // [C-11]
  it('the codec calls Cloud KMS about every 10 seconds, and notices when Cloud KMS responds again', async () => {
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
