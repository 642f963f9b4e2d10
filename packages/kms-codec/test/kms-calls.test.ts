import { describe, expect, it } from 'vitest';
import { codecWith, cryptoKey, inNamespace, json } from './support/codec.ts';
import { FakeKeyService } from './support/fake-key-service.ts';

const rule = {
  pay: {
    encrypt: cryptoKey('pay'),
    reads: ['envelope-v2', 'envelope', 'direct'],
    unsafe: ['direct-with-envelope'],
  },
  ship: { encrypt: cryptoKey('ship') },
} as const;
const many = { pay: { ...rule.pay, decrypt: ['a', 'b', 'c'].map(cryptoKey) } };
const pay = inNamespace('pay');
const ship = inNamespace('ship');

/** Encrypts messages, each under a different data key. */
const encryptApart = async (keyService: FakeKeyService, count: number) => {
  const each = Array.from({ length: count }, (_, n) =>
    codecWith(rule, { keyService }).codec.encode([json(n)], pay),
  );
  return (await Promise.all(each)).flat();
};

describe('DecodePlan.kmsCalls', () => {
  it('counts each uncached data key once, without a Cloud KMS call', async () => {
    const keyService = new FakeKeyService();
    const encrypted = await encryptApart(keyService, 4);
    const { codec } = codecWith(rule, { keyService });
    expect(codec.plan([...encrypted, ...encrypted, json('plain')], pay).kmsCalls).toBe(4);
    expect(keyService.unwraps).toBe(0);
    await codec.decode(encrypted.slice(0, 3), pay);
    expect(codec.plan(encrypted, pay).kmsCalls).toBe(1);
  });

  it.each(['envelope', 'direct'] as const)(
    'counts the Cloud KMS calls for messages in the format %s',
    async (format) => {
      const keyService = new FakeKeyService();
      const { codec: writer } = codecWith(rule, { keyService, format });
      const encrypted = await writer.encode([json(1), json(2)], pay);
      const { codec } = codecWith(rule, { keyService });
      expect(codec.plan(encrypted, pay).kmsCalls).toBe(format === 'direct' ? 2 : 1);
    },
  );

  it.each(['envelope', 'direct'] as const)(
    'for a message in the format %s without kms-key, counts every key that decryption would try',
    async (format) => {
      const keyService = new FakeKeyService();
      const [encrypted] = await codecWith(many, { keyService, format }).codec.encode([json(1)], pay);
      delete encrypted!.metadata!['kms-key'];
      const { codec } = codecWith(many, { keyService });
      expect(codec.plan([encrypted!], pay).kmsCalls).toBe(4);
    },
  );

  it('does not count a message whose data key is cached, and a damaged copy causes no call', async () => {
    const keyService = new FakeKeyService();
    const writer = codecWith(many, { keyService, format: 'envelope' }).codec;
    const [encrypted] = await writer.encode([json(1)], pay);
    delete encrypted!.metadata!['kms-key'];
    const { codec } = codecWith(many, { keyService });
    await codec.decode([encrypted!], pay);
    expect([codec.plan([encrypted!], pay).kmsCalls, keyService.unwraps]).toEqual([0, 1]);
    const damaged = Uint8Array.from(encrypted!.data!);
    damaged[damaged.length - 1]! ^= 1;
    await expect(codec.decode([{ ...encrypted, data: damaged }], pay)).rejects.toMatchObject({
      code: 'integrity_failed',
    });
    expect(keyService.unwraps).toBe(1);
  });

  it('does not count messages in a format that the namespace does not read', async () => {
    const keyService = new FakeKeyService();
    const encrypted = await codecWith(rule, { keyService, format: 'direct' }).codec.encode([json(1)], pay);
    const strict = { pay: { encrypt: cryptoKey('pay') } };
    expect(codecWith(strict, { keyService }).codec.plan(encrypted, pay).kmsCalls).toBe(0);
  });

  it('does not count messages that are rejected without a call or whose rejection is cached', async () => {
    const keyService = new FakeKeyService();
    const [payload] = await encryptApart(keyService, 1);
    const { codec } = codecWith(rule, { keyService });
    expect(codec.plan([payload!], ship).kmsCalls).toBe(0);
    keyService.failing = 'key_disabled';
    await expect(codec.decode([payload!], pay)).rejects.toMatchObject({ code: 'key_disabled' });
    expect(codec.plan([payload!], pay).kmsCalls).toBe(0);
  });
});
