import { describe, expect, it } from 'vitest';
import { KmsCodecError, type NamespaceRule } from '../../src/index.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { asProxy, asSample, formats, inLayer, marked, proxyCompressed, readsAll } from '../support/layers.ts';

const orders = inNamespace('orders');
const secret = json('4111 1111 1111 1111');

const reader = (keyService: FakeKeyService, rule: Partial<NamespaceRule> = {}) =>
  codecWith({ orders: { ...readsAll, ...rule } }, { keyService }).codec;

const refusal = (code: string) => expect.objectContaining({ name: expect.any(String), code });

describe('a payload in two layers', () => {
  it('is rejected with an error that names the inner layer’s unlisted crypto key', async () => {
    const keyService = new FakeKeyService();
    const inner = await asProxy(keyService, secret, cryptoKey('other'));
    const message = await inLayer('envelope-v2', keyService, inner);
    await expect(reader(keyService).decrypt(message, orders)).rejects.toMatchObject({
      key: cryptoKey('other'),
    });
  });

  it.each(['envelope', 'direct', 'proxy'] as const)(
    'is rejected with an error that names the crypto key of an inner layer in the format %s, which the rule does not read',
    async (format) => {
      const keyService = new FakeKeyService();
      const message = await inLayer('envelope-v2', keyService, await inLayer(format, keyService, secret));
      const codec = reader(keyService, { reads: ['envelope-v2'] });
      await expect(codec.decrypt(message, orders)).rejects.toMatchObject({
        code: 'layer_unreadable',
        key: cryptoKey('shared'),
      });
    },
  );

  it('never puts decrypted metadata into an error, except a crypto key’s name', async () => {
    const keyService = new FakeKeyService();
    for (const inner of [
      asSample(secret, 'canary in a key id'),
      marked(secret, 'canary-algorithm', Buffer.from('x')),
      { metadata: { encoding: Buffer.from('binary/gcp-kms'), 'kms-key': Buffer.from('a canary') } },
    ]) {
      const message = await inLayer('envelope-v2', keyService, inner);
      const codec = reader(keyService, { reads: ['envelope-v2', 'static'] });
      const error = await codec.decrypt(message, orders).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toEqual(refusal('layer_unreadable'));
      expect(JSON.stringify(error) + String(error)).not.toContain('canary');
    }
  });
});

it('decrypt returns content with the entry compression-algorithm if its encoding is not binary/compressed', async () => {
  const keyService = new FakeKeyService();
  const content = {
    ...secret,
    metadata: { ...secret.metadata, 'compression-algorithm': Buffer.from('zstd') },
  };
  const message = await inLayer('envelope-v2', keyService, content);
  const { payload } = await reader(keyService).decrypt(message, orders);
  expect(valueOf(payload)).toBe(valueOf(secret));
});

// [N-1]
describe('authorizeNamespace', () => {
  const rules = { orders: { ...readsAll, accepts: ['cards'] }, cards: { encrypt: cryptoKey('shared') } };

  it.each(formats)('is called before decrypting another namespace’s inner layer in %s', async (outer) => {
    const keyService = new FakeKeyService();
    const card = await inLayer('envelope-v2', keyService, secret, 'cards');
    const message = await inLayer(outer, keyService, card);
    const { codec } = codecWith(rules, { keyService });
    const unwrapsOfOuter = outer === 'static' ? 0 : 1;
    const unwrapsBefore: number[] = [];
    const authorizeNamespace = (namespace: string): void => {
      unwrapsBefore.push(keyService.unwraps);
      throw new KmsCodecError('namespace_not_permitted', `no permission in ${namespace}`);
    };
    const options = { authorizeNamespace };
    const refused = { code: 'namespace_not_permitted' };
    await expect(codec.decrypt(message, orders, options)).rejects.toMatchObject(refused);
    await expect(codec.decode([message], orders, options)).rejects.toMatchObject(refused);
    expect(unwrapsBefore[0]).toBe(unwrapsOfOuter);
    expect(keyService.unwraps).toBe(outer === 'direct' ? 2 : unwrapsOfOuter);
    expect(valueOf((await codec.decrypt(message, orders)).payload)).toBe(valueOf(secret));
  });
});

describe('a budget for Cloud KMS calls', () => {
  it('counts the data key of an inner layer only once for all payloads that share the key', async () => {
    const keyService = new FakeKeyService();
    const inner = await inLayer('envelope-v2', keyService, secret);
    const messages = await Promise.all([1, 2, 3].map(() => asProxy(keyService, inner)));
    const codec = reader(keyService);
    expect(codec.plan(messages, orders).kmsCalls).toBe(3);
    const seen = new Set<string>();
    const calls = { reserve: (ids: readonly string[]) => ids.forEach((id) => seen.add(id)) };
    await codec.decode(messages, orders, { innerKmsCalls: calls });
    expect(seen.size).toBe(1);
    expect(keyService.unwraps).toBe(4);
  });

  it('stops the decoding of nested layers before the Cloud KMS call that would exceed the budget', async () => {
    const keyService = new FakeKeyService();
    const message = await inLayer('proxy', keyService, await inLayer('direct', keyService, secret));
    const spent = new Error('spent');
    const calls = {
      reserve: () => {
        throw spent;
      },
    };
    await expect(reader(keyService).decode([message], orders, { innerKmsCalls: calls })).rejects.toBe(spent);
    expect(keyService.unwraps).toBe(1);
  });
});

// [N-7]
describe('another codec that decodes after this codec', () => {
  const inners: readonly [string, (keys: FakeKeyService) => Promise<Payload>][] = [
    ['a static key that is not configured', async () => asSample(secret, 'another-key')],
    ['a format that the rule does not read', (keys) => inLayer('envelope', keys, secret)],
    ['a compression marker of temporal-proxy', async () => proxyCompressed(Buffer.from('x'))],
  ];

  it.each(inners)('receives an inner payload with %s', async (_, make) => {
    const keyService = new FakeKeyService();
    const inner = await make(keyService);
    const message = await inLayer('envelope-v2', keyService, inner);
    const rules = { orders: { ...readsAll, reads: ['envelope-v2', 'static'] } } satisfies Record<
      string,
      NamespaceRule
    >;
    const { codec } = codecWith(rules, { keyService, innerCodecs: true });
    const [decoded] = await codec.decode([message], orders);
    expect(Buffer.from(decoded!.data!)).toEqual(Buffer.from(inner.data!));
    await expect(codec.decrypt(message, orders)).rejects.toMatchObject({ code: 'layer_unreadable' });
  });
});

describe.each([
  ['an encoding', proxyCompressed(Buffer.from('x'))],
  ['an entry', marked(secret, 'application/zstd', Buffer.from('x'))],
])('a payload that temporal-proxy marked as compressed with %s', (_, compressed) => {
  // [N-5] [N-6]
  it('is returned unchanged by decode if it is not inside another message, but is rejected by decrypt', async () => {
    const codec = reader(new FakeKeyService());
    expect((await codec.decode([compressed], orders))[0]).toBe(compressed);
    await expect(codec.decrypt(compressed, orders)).rejects.toMatchObject({ code: 'layer_unreadable' });
    expect(codec.inspect(compressed, orders)).toMatchObject({ compressed: true, format: 'plain' });
    const strict = reader(new FakeKeyService(), { plaintext: 'refuse' });
    await expect(strict.decrypt(compressed, orders)).rejects.toMatchObject({ code: 'format_not_allowed' });
  });
});
