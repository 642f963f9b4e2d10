import { describe, expect, it, vi } from 'vitest';
import { KmsCodecError } from '../../src/index.ts';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { context, hour, minute, settle } from '../support/fleet.ts';
import { rule } from '../support/reader.ts';

describe('the codec', () => {
  it.each([1, 100, 10_000])(
    'makes one Cloud KMS call for the first data key of %i concurrent encodes',
    async (concurrent) => {
      const { codec, keyService } = codecWith(rule);
      keyService.latencyMs = 20;
      await Promise.all(Array.from({ length: concurrent }, () => codec.encode([json('x')], context)));
      expect(keyService.wraps).toBe(1);
    },
  );

  it.each([1, 100, 10_000])(
    'makes one Cloud KMS call for each of 3 data keys, with %i concurrent decodes under each',
    async (concurrent) => {
      const keyService = new FakeKeyService();
      const encrypted = await Promise.all(
        [1, 2, 3].map(async (n) => codecWith(rule, { keyService }).codec.encode([json(n)], context)),
      );
      const { codec } = codecWith(rule, { keyService });
      keyService.latencyMs = 20;
      const decoded = await Promise.all(
        Array.from({ length: concurrent * 3 }, (_, i) => codec.decode(encrypted[i % 3]!, context)),
      );
      expect(decoded.map(([payload]) => valueOf(payload)).slice(0, 3)).toEqual([1, 2, 3]);
      expect(keyService.unwraps).toBe(3);
    },
  );

  it('continues a shared call if one of its waiters times out', async () => {
    const keyService = new FakeKeyService();
    const encrypted = await codecWith(rule, { keyService }).codec.encode([json('x')], context);
    const { codec } = codecWith(rule, { keyService, waitMs: { activity: 20_000, other: 20 } });
    const release = keyService.hold();
    const impatient = codec.decode(encrypted, context);
    const patient = codec.decode(encrypted, { ...context, type: 'activity' });
    await expect(impatient).rejects.toMatchObject({ code: 'kms_unavailable' });
    release();
    expect(valueOf((await patient)[0])).toBe('x');
    expect(keyService.unwraps).toBe(1);
  });

  it('makes a new call for a waiter that arrives after all earlier waiters have timed out', async () => {
    const keyService = new FakeKeyService();
    const encrypted = await codecWith(rule, { keyService }).codec.encode([json('x')], context);
    const { codec } = codecWith(rule, { keyService, waitMs: { activity: 20_000, other: 20 } });
    const release = keyService.hold();
    await expect(codec.decode(encrypted, context)).rejects.toMatchObject({ code: 'kms_unavailable' });
    const later = codec.decode(encrypted, { ...context, type: 'activity' });
    release();
    expect(valueOf((await later)[0])).toBe('x');
    expect(keyService.unwraps).toBe(2);
  });
});

describe('the codec with an encryption key', () => {
  // [C-1]
  it('refreshes the key in the background after 75 % of its soft age, without delaying an encode', async () => {
    const { codec, keyService, clock } = codecWith(rule);
    await codec.encode([json(1)], context);
    clock.time += 0.76 * hour;
    keyService.latencyMs = 2_000;
    await codec.encode([json(2)], context);
    // The refresh has begun, but Cloud KMS has not responded yet.
    expect([keyService.wraps, keyService.answered]).toEqual([2, 1]);
  });

  // [C-4]
  it.each([
    ['messages', { softMessages: 8 }],
    ['bytes', { softBytes: 8 * 5 }],
  ])('refreshes a key in the format envelope once it reaches its soft limit on %s', async (_, limits) => {
    const { codec, keyService } = codecWith(rule, { limits, format: 'envelope' });
    for (let i = 0; i < 20; i += 1) {
      await codec.encode([json('abc')], context);
      await settle();
    }
    expect(keyService.wraps).toBeGreaterThanOrEqual(3);
  });

  it('refreshes the key while the process is idle', async () => {
    const { codec, keyService, clock } = codecWith(rule);
    await codec.warm('pay');
    clock.time += 0.8 * hour;
    codec.maintain();
    await settle();
    expect(keyService.wraps).toBe(2);
  });

  // [C-2] [C-5]
  it('uses the key during an outage up to the key’s hard age, but no longer', async () => {
    const { codec, keyService, clock } = codecWith(rule);
    await codec.warm('pay');
    keyService.failing = 'kms_unavailable';
    for (let h = 1; h < 24; h += 1) {
      clock.time += hour;
      await expect(codec.encode([json(h)], context)).resolves.toHaveLength(1);
    }
    clock.time += hour;
    await expect(codec.encode([json('late')], context)).rejects.toMatchObject({ code: 'data_key_exhausted' });
    // The error stays the same even after `maintain` has removed the key from memory.
    codec.maintain();
    expect(codec.keyState('pay').encryptionKeyAgeSeconds).toBeUndefined();
    await expect(codec.encode([json('later')], context)).rejects.toMatchObject({
      code: 'data_key_exhausted',
    });
    keyService.failing = undefined;
    await vi.waitFor(() => codec.encode([json('again')], context), { timeout: 10_000 });
  });

  // [C-5]
  it.each([
    ['messages', { hardMessages: 4 }],
    ['bytes', { hardBytes: 4 }],
  ])('never uses a key for more %s than its hard limit in the format envelope', async (_, limits) => {
    const { codec, keyService } = codecWith(rule, { limits, format: 'envelope' });
    await codec.warm('pay');
    keyService.failing = 'kms_quota';
    await codec.encode([1, 2, 3, 4].map(json), context);
    await expect(codec.encode([json(5)], context)).rejects.toMatchObject({ code: 'data_key_exhausted' });
  });

  it.each(['envelope', 'envelope-v2'] as const)(
    'uses the key for a single message that exceeds the byte limit in the format %s',
    async (format) => {
      const { codec, keyService } = codecWith(rule, { limits: { hardBytes: 2 }, format });
      expect(await codec.encode([json('long'), json('longer')], context)).toHaveLength(2);
      expect(keyService.wraps).toBe(format === 'envelope' ? 2 : 1);
    },
  );

  // [C-3]
  it.each(['permission_denied', 'key_disabled', 'key_destroyed'] as const)(
    'does not use the key past its soft age if the refresh fails with %s',
    async (code) => {
      const { codec, keyService, clock } = codecWith(rule);
      await codec.warm('pay');
      keyService.wrap = () => Promise.reject(new KmsCodecError(code, 'failed on demand'));
      clock.time += 0.8 * hour;
      codec.maintain();
      await settle();
      clock.time += 0.19 * hour;
      await expect(codec.encode([json('in time')], context)).resolves.toHaveLength(1);
      clock.time += 0.02 * hour;
      await expect(codec.encode([json('late')], context)).rejects.toMatchObject({ code });
    },
  );

  it('stops using a key past its soft age once Cloud KMS refuses to wrap a new key', async () => {
    const { codec, keyService, clock } = codecWith(rule);
    await codec.warm('pay');
    keyService.failing = 'kms_unavailable';
    clock.time += 3 * hour;
    await expect(codec.encode([json('in an outage')], context)).resolves.toHaveLength(1);
    keyService.failing = 'permission_denied';
    await vi.waitFor(
      () =>
        expect(codec.encode([json('late')], context)).rejects.toMatchObject({ code: 'permission_denied' }),
      { timeout: 20_000, interval: 100 },
    );
  });

  it('makes only one Cloud KMS call if many encodes need a key that cannot be created', async () => {
    const { codec, keyService } = codecWith(rule);
    keyService.failing = 'permission_denied';
    for (let i = 0; i < 50; i += 1) await codec.encode([json(i)], context).catch(() => undefined);
    expect(keyService.wraps).toBe(1);
  });

  it('uses each data key in only one namespace, even if two namespaces share a crypto key', async () => {
    const { codec, keyService } = codecWith({
      a: { encrypt: cryptoKey('k') },
      b: { encrypt: cryptoKey('k') },
    });
    for (const namespace of ['a', 'b', 'a', 'b']) await codec.encode([json(1)], inNamespace(namespace));
    expect(keyService.wraps).toBe(2);
  });
});

describe('a process whose permission was revoked', () => {
  it("decrypts another process's messages for at most 5 min after its last successful call", async () => {
    const keyService = new FakeKeyService();
    const encrypted = await codecWith(rule, { keyService }).codec.encode([json('secret')], context);
    const { codec, clock } = codecWith(rule, { keyService });
    await codec.decode(encrypted, context);
    keyService.failing = 'permission_denied';
    clock.time += 2.4 * minute;
    await expect(codec.decode(encrypted, context)).resolves.toHaveLength(1);
    clock.time += 2.6 * minute;
    await expect(codec.decode(encrypted, context)).rejects.toMatchObject({ code: 'permission_denied' });
  });
});

describe('the decryption key cache', () => {
  // [C-15]
  it('keeps a rejection for a few seconds, so that a history under a disabled key causes only one call', async () => {
    const keyService = new FakeKeyService();
    const encrypted = await codecWith(rule, { keyService }).codec.encode([json('x')], context);
    const { codec, clock } = codecWith(rule, { keyService });
    keyService.failing = 'key_disabled';
    for (let i = 0; i < 50; i += 1) await codec.decode(encrypted, context).catch(() => undefined);
    expect(keyService.unwraps).toBe(1);
    keyService.failing = undefined;
    clock.time += 6_000;
    expect(valueOf((await codec.decode(encrypted, context))[0])).toBe('x');
  });

  // [C-15]
  it('does not keep errors that an outage caused', async () => {
    const keyService = new FakeKeyService();
    const encrypted = await codecWith(rule, { keyService }).codec.encode([json('x')], context);
    const { codec } = codecWith(rule, { keyService });
    keyService.failing = 'kms_unavailable';
    await expect(codec.decode(encrypted, context)).rejects.toMatchObject({ code: 'kms_unavailable' });
    keyService.failing = undefined;
    expect(valueOf((await codec.decode(encrypted, context))[0])).toBe('x');
  });

  // [C-16]
  it('has a limited size and evicts the least recently used data key', async () => {
    const keyService = new FakeKeyService();
    const encrypted = await Promise.all(
      [1, 2, 3].map((n) => codecWith(rule, { keyService }).codec.encode([json(n)], context)),
    );
    const { codec } = codecWith(rule, { keyService, limits: { maxDecryptionKeys: 2 } });
    for (const message of encrypted) await codec.decode(message, context);
    expect(keyService.unwraps).toBe(3);
    await codec.decode(encrypted[2]!, context);
    expect(keyService.unwraps).toBe(3);
    await codec.decode(encrypted[0]!, context);
    expect(keyService.unwraps).toBe(4);
  });
});
