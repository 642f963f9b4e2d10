import { describe, expect, it } from 'vitest';
import { KmsCodecError } from '../../src/errors.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { codecWith, cryptoKey, json, valueOf } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { context, hour, minute, settle } from '../support/fleet.ts';
import { read, readerOf, rule } from '../support/reader.ts';

describe('keyState', () => {
  it('returns a decreasing autonomy and the reason code while Cloud KMS does not respond', async () => {
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
    await expect.poll(() => codec.keyState('pay').failure).toBeUndefined();
  });

  it('takes into account other processes’ data keys that are in use', async () => {
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
    // The data key has not been used for an hour, so it no longer counts.
    clock.time += 1.1 * hour;
    expect(codec.keyState('pay').autonomySeconds).toBeGreaterThan(22 * 3_600);
  });

  it('returns an autonomy of 0 and the reason code while Cloud KMS refuses the encryption key', async () => {
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

    // Nothing is decoded in the meantime, because a worker that cannot read has stopped polling.
    keyService.failing = undefined;
    clock.time += minute / 2;
    codec.maintain();
    await expect.poll(() => codec.keyState('pay').failure).toBeUndefined();
    expect(codec.keyState('pay').autonomySeconds).toBeGreaterThan(23 * 3_600);
    expect(await read(codec, own)).toBe('x');
  });

  it('returns an autonomy once Cloud KMS accepts the key again, and no reason code once the failed refresh was retried', async () => {
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
    // After a refusal, the codec tries to unwrap the key every 10 s. It retries a refresh 10 s after the
    // refresh failed.
    clock.time += 6_000;
    codec.maintain();
    await expect.poll(() => codec.keyState('pay').autonomySeconds).toBeGreaterThan(0);
    clock.time += 6_000;
    codec.maintain();
    await expect.poll(() => codec.keyState('pay').failure).toBeUndefined();
  });

  // [C-9]
  it('recovers with a key under another version if the version in use remains disabled', async () => {
    const { codec, clock, keyService } = codecWith(rule);
    const own = await codec.encode([json('x')], context);
    keyService.disabled.add(1);
    keyService.version = 2;
    clock.time += 4.1 * minute;
    await read(codec, own);
    await settle();
    clock.time += minute / 2;
    codec.maintain();
    await expect.poll(() => codec.keyState('pay').failure).toBeUndefined();
    const [message] = await codec.encode([json('y')], context);
    expect(codec.inspect(message!, context)).toMatchObject({ keyVersion: 2 });
    await expect(codec.decode(own, context)).rejects.toMatchObject({ code: 'key_disabled' });
    // The codec no longer tries to unwrap the key that it has replaced.
    const { unwraps } = keyService;
    clock.time += minute;
    codec.maintain();
    await settle();
    expect(keyService.unwraps).toBe(unwraps);
  });
});

it('a process that loses only the permission to decrypt is not ready until the permission is restored', async () => {
  const { codec, clock, keyService } = codecWith(rule);
  const own = await codec.encode([json('x')], context);
  clock.time += 4.1 * minute;
  await read(codec, own);
  await settle();
  Object.assign(keyService, { failing: 'permission_denied', affected: 'unwrap' });
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
  keyService.failing = undefined;
  clock.time += 10_000;
  codec.maintain();
  await expect.poll(() => codec.keyState('pay')).toMatchObject({ failure: undefined });
  expect(codec.keyState('pay').autonomySeconds).toBeGreaterThan(0);
});

/**
 * Returns a codec that has no key in memory, and messages under branch keys that the codec has not unwrapped.
 */
async function readerWithoutKeys(count: number) {
  const keyService = new FakeKeyService();
  const messages: Payload[] = [];
  for (let n = 0; n < count; n += 1) {
    const writer = codecWith({ pay: { encrypt: cryptoKey('pay') } }, { keyService }).codec;
    messages.push(...(await writer.encode([json(n)], context)));
  }
  const rules = { pay: { decrypt: [cryptoKey('pay')] }, shop: { decrypt: [cryptoKey('shop')] } };
  return { ...codecWith(rules, { keyService }), messages };
}

describe('the failure that keyState returns', () => {
  it('also reflects failed calls for keys that are not in memory, until Cloud KMS responds again', async () => {
    const { codec, keyService, messages } = await readerWithoutKeys(2);
    const [first, second] = messages;
    keyService.failing = 'kms_quota';
    await expect(codec.decode([first!], context)).rejects.toMatchObject({ code: 'kms_quota' });
    expect(codec.keyState('pay').failure).toBe('kms_quota');
    expect(codec.keyState('shop').failure).toBeUndefined();
    keyService.failing = undefined;
    expect(valueOf((await codec.decode([second!], context))[0])).toBe(1);
    expect(codec.keyState('pay').failure).toBeUndefined();
  });

  it('is removed a minute after the last call, because without calls the state is unknown', async () => {
    const { codec, clock, keyService, messages } = await readerWithoutKeys(1);
    keyService.failing = 'kms_unavailable';
    await expect(codec.decode(messages, context)).rejects.toMatchObject({ code: 'kms_unavailable' });
    clock.time += minute - 1;
    expect(codec.keyState('pay').failure).toBe('kms_unavailable');
    clock.time += 1;
    expect(codec.keyState('pay').failure).toBeUndefined();
  });

  it('does not report the refusal of a single message, because Cloud KMS has responded', async () => {
    const { codec, keyService, messages } = await readerWithoutKeys(2);
    const [first, second] = messages;
    keyService.failing = 'kms_unavailable';
    await expect(codec.decode([first!], context)).rejects.toMatchObject({ code: 'kms_unavailable' });
    keyService.failing = 'key_destroyed';
    await expect(codec.decode([second!], context)).rejects.toMatchObject({ code: 'key_destroyed' });
    expect(codec.keyState('pay').failure).toBeUndefined();
  });

  it('shows that a starting process cannot get its first key', async () => {
    const { codec, keyService } = codecWith({ pay: { encrypt: cryptoKey('pay') } });
    keyService.failing = 'kms_unavailable';
    await expect(codec.warm('pay')).rejects.toMatchObject({ code: 'kms_unavailable' });
    expect(codec.keyState('pay')).toMatchObject({ autonomySeconds: 0, failure: 'kms_unavailable' });
    keyService.failing = undefined;
    await codec.warm('pay');
    expect(codec.keyState('pay').failure).toBeUndefined();
  });

  it('also reflects failed calls in the format direct, which keeps no keys in memory', async () => {
    const rules = { pay: { encrypt: cryptoKey('pay'), reads: ['direct' as const] } };
    const { codec, keyService } = codecWith(rules, { format: 'direct' });
    keyService.failing = 'kms_unavailable';
    await expect(codec.encode([json('x')], context)).rejects.toMatchObject({ code: 'kms_unavailable' });
    expect(codec.keyState('pay').failure).toBe('kms_unavailable');
  });
});

it('a process that loses the permission to decrypt stops within 5 min even if Cloud KMS does not respond to wrap calls', async () => {
  const { codec, clock, keyService } = codecWith(rule);
  const own = await codec.encode([json('x')], context);
  clock.time += 4.1 * minute;
  await read(codec, own);
  await settle();
  keyService.unwrap = ({ key }) =>
    Promise.reject(new KmsCodecError('permission_denied', 'denied on demand', { key }));
  keyService.failing = 'kms_unavailable';
  for (let n = 0; n < 5; n += 1) {
    await codec.encode([json(n)], context).catch(() => undefined);
    await settle();
    clock.time += minute;
  }
  await expect(codec.encode([json('late')], context)).rejects.toMatchObject({ retryable: true });
});
