import { describe, expect, it } from 'vitest';
import { KmsCodecError } from '../src/errors.ts';
import type { Payload } from '../src/formats/payload.ts';
import { WatchedKeyService } from '../src/keys/watched-key-service.ts';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from './support/codec.ts';
import { FakeKeyService } from './support/fake-key-service.ts';

const MINUTE = 60_000;
const pay = inNamespace('pay');

/** Returns a codec that has no key in memory, and messages under branch keys that it has not unwrapped. */
async function readerOf(count: number) {
  const keyService = new FakeKeyService();
  const messages: Payload[] = [];
  for (let n = 0; n < count; n += 1) {
    const writer = codecWith({ pay: { encrypt: cryptoKey('pay') } }, { keyService }).codec;
    messages.push(...(await writer.encode([json(n)], pay)));
  }
  const rules = { pay: { decrypt: [cryptoKey('pay')] }, shop: { decrypt: [cryptoKey('shop')] } };
  return { ...codecWith(rules, { keyService }), messages };
}

describe('the failure of keyState', () => {
  it('is that of calls for keys that are not in memory, until Cloud KMS answers', async () => {
    const { codec, keyService, messages } = await readerOf(2);
    const [first, second] = messages;
    keyService.failing = 'kms_quota';
    await expect(codec.decode([first!], pay)).rejects.toMatchObject({ code: 'kms_quota' });
    expect(codec.keyState('pay').failure).toBe('kms_quota');
    expect(codec.keyState('shop').failure).toBeUndefined();
    keyService.failing = undefined;
    expect(valueOf((await codec.decode([second!], pay))[0])).toBe(1);
    expect(codec.keyState('pay').failure).toBeUndefined();
  });

  it('ends a minute after the last call, because nothing is known without calls', async () => {
    const { codec, clock, keyService, messages } = await readerOf(1);
    keyService.failing = 'kms_unavailable';
    await expect(codec.decode(messages, pay)).rejects.toMatchObject({ code: 'kms_unavailable' });
    clock.time += MINUTE - 1;
    expect(codec.keyState('pay').failure).toBe('kms_unavailable');
    clock.time += 1;
    expect(codec.keyState('pay').failure).toBeUndefined();
  });

  it('is not the refusal of a single message: Cloud KMS has answered', async () => {
    const { codec, keyService, messages } = await readerOf(2);
    const [first, second] = messages;
    keyService.failing = 'kms_unavailable';
    await expect(codec.decode([first!], pay)).rejects.toMatchObject({ code: 'kms_unavailable' });
    keyService.failing = 'key_destroyed';
    await expect(codec.decode([second!], pay)).rejects.toMatchObject({ code: 'key_destroyed' });
    expect(codec.keyState('pay').failure).toBeUndefined();
  });

  it('shows that a process which starts cannot get its first key', async () => {
    const { codec, keyService } = codecWith({ pay: { encrypt: cryptoKey('pay') } });
    keyService.failing = 'kms_unavailable';
    await expect(codec.warm('pay')).rejects.toMatchObject({ code: 'kms_unavailable' });
    expect(codec.keyState('pay')).toMatchObject({ autonomySeconds: 0, failure: 'kms_unavailable' });
    keyService.failing = undefined;
    await codec.warm('pay');
    expect(codec.keyState('pay').failure).toBeUndefined();
  });

  it('is that of calls in the format direct, which has no keys in memory', async () => {
    const rules = { pay: { encrypt: cryptoKey('pay'), reads: ['direct' as const] } };
    const { codec, keyService } = codecWith(rules, { format: 'direct' });
    keyService.failing = 'kms_unavailable';
    await expect(codec.encode([json('x')], pay)).rejects.toMatchObject({ code: 'kms_unavailable' });
    expect(codec.keyState('pay').failure).toBe('kms_unavailable');
  });
});

it('a call that fails after a later one was answered is no outage', async () => {
  const slow = Promise.withResolvers<Uint8Array>();
  const keyService = new FakeKeyService();
  let time = 0;
  const watched = new WatchedKeyService(keyService, () => time);
  const request = { key: cryptoKey('pay'), ciphertext: new Uint8Array(), aad: new Uint8Array() };
  keyService.unwrap = () => slow.promise;
  const late = watched.unwrap(request);
  time += 1;
  keyService.unwrap = async () => new Uint8Array();
  await watched.unwrap(request);
  slow.reject(new KmsCodecError('kms_unavailable', 'no answer'));
  await expect(late).rejects.toThrow('no answer');
  expect(watched.failure([cryptoKey('pay')])).toBeUndefined();
});
