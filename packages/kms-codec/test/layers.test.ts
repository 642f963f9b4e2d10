import { describe, expect, it } from 'vitest';
import { KmsCodecError, type NamespaceRule, type EncryptedFormat } from '../src/index.ts';
import type { Payload } from '../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from './support/codec.ts';
import { FakeKeyService } from './support/fake-key-service.ts';
import { asProxy, asSample, formats, inLayer, marked, proxyCompressed, readsAll } from './support/layers.ts';

const orders = inNamespace('orders');
const secret = json('4111 1111 1111 1111');

const reader = (keyService: FakeKeyService, rule: Partial<NamespaceRule> = {}) =>
  codecWith({ orders: { ...readsAll, ...rule } }, { keyService }).codec;

const refusal = (code: string) => expect.objectContaining({ name: expect.any(String), code });

/** Decodes with `decode` and with `decrypt`. Returns both outcomes. */
async function outcomes(codec: ReturnType<typeof reader>, payload: Payload): Promise<unknown[]> {
  const decoded = codec.decode([payload], orders).then(([one]) => one);
  const decrypted = codec.decrypt(payload, orders).then((result) => result.payload);
  return Promise.all([decoded, decrypted].map((outcome) => outcome.then(valueOf, (error: unknown) => error)));
}

describe('a payload in two layers', () => {
  const pairs = formats.flatMap((outer) => formats.map((inner) => [outer, inner] as const));

  it.each(pairs)('is decrypted through both layers if %s contains %s', async (outer, inner) => {
    const keyService = new FakeKeyService();
    const message = await inLayer(outer, keyService, await inLayer(inner, keyService, secret));
    expect(await outcomes(reader(keyService), message)).toEqual([valueOf(secret), valueOf(secret)]);
  });

  it.each(formats)('is layer_unreadable if the rule does not read the inner format %s', async (inner) => {
    const keyService = new FakeKeyService();
    const outer = inner === 'proxy' ? 'envelope-v2' : 'proxy';
    const message = await inLayer(outer, keyService, await inLayer(inner, keyService, secret));
    const codec = reader(keyService, { reads: formats.filter((format) => format !== inner) });
    const [decoded, decrypted] = await outcomes(codec, message);
    expect(decoded).toEqual(refusal('layer_unreadable'));
    expect(decrypted).toEqual(refusal('layer_unreadable'));
    expect(String(decrypted)).toContain(inner);
  });

  it.each([
    ['a Google key that is not listed', (keys: FakeKeyService) => asProxy(keys, secret, cryptoKey('other'))],
    ['a static key that is not configured', async () => asSample(secret, 'another-key')],
    [
      'no key at all',
      async (): Promise<Payload> => ({
        metadata: { encoding: Buffer.from('binary/encrypted') },
        data: Buffer.from('ciphertext'),
      }),
    ],
  ])('is layer_unreadable if the inner layer is binary/encrypted under %s', async (_, make) => {
    const keyService = new FakeKeyService();
    const message = await inLayer('envelope-v2', keyService, await make(keyService));
    expect(await outcomes(reader(keyService), message)).toEqual([
      refusal('layer_unreadable'),
      refusal('layer_unreadable'),
    ]);
    expect(keyService.asked.has(cryptoKey('other')) && keyService.unwraps > 1).toBe(false);
  });

  it('names the crypto key of an inner layer that is not listed', async () => {
    const keyService = new FakeKeyService();
    const inner = await asProxy(keyService, secret, cryptoKey('other'));
    const message = await inLayer('envelope-v2', keyService, inner);
    await expect(reader(keyService).decrypt(message, orders)).rejects.toMatchObject({
      key: cryptoKey('other'),
    });
  });

  it('never puts decrypted metadata into an error unless it is a crypto key', async () => {
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

  it('keeps the inner layer bound to its namespace', async () => {
    const keyService = new FakeKeyService();
    const card = await inLayer('envelope-v2', keyService, secret, 'cards');
    const message = await inLayer('envelope-v2', keyService, card);
    expect(await outcomes(reader(keyService), message)).toEqual([
      refusal('namespace_mismatch'),
      refusal('namespace_mismatch'),
    ]);
  });

  it('keeps the inner layer bound to its workflow', async () => {
    const keyService = new FakeKeyService();
    const rules = { orders: readsAll };
    const { codec: bound } = codecWith(rules, { keyService, bindWorkflow: true });
    const [inner] = await bound.encode([secret], inNamespace('orders', 'order-1'));
    const message = await inLayer('proxy', keyService, inner!);
    const codec = reader(keyService);
    const [decoded] = await codec.decode([message], inNamespace('orders', 'order-1'));
    expect(valueOf(decoded)).toBe(valueOf(secret));
    await expect(codec.decode([message], inNamespace('orders', 'order-2'))).rejects.toMatchObject({
      code: 'workflow_mismatch',
    });
  });

  it('reports plaintext only if it was stored as plaintext', async () => {
    const keyService = new FakeKeyService();
    const codec = reader(keyService, { plaintext: 'refuse' });
    const message = await inLayer('envelope-v2', keyService, await inLayer('proxy', keyService, secret));
    expect(await outcomes(codec, message)).toEqual([valueOf(secret), valueOf(secret)]);
    await expect(codec.decode([secret], orders)).rejects.toMatchObject({ code: 'format_not_allowed' });
  });
});

async function nested(count: number, keyService: FakeKeyService, format: EncryptedFormat): Promise<Payload> {
  let payload = secret;
  for (let n = 0; n < count; n += 1) payload = await inLayer(format, keyService, payload);
  return payload;
}

describe('the number of layers', () => {
  it.each(formats)('is at most four, also in %s', async (format) => {
    const keyService = new FakeKeyService();
    const codec = reader(keyService);
    expect(await outcomes(codec, await nested(4, keyService, format))).toEqual([
      valueOf(secret),
      valueOf(secret),
    ]);
    const five = await nested(5, keyService, format);
    expect(await outcomes(codec, five)).toEqual([refusal('layer_unreadable'), refusal('layer_unreadable')]);
  });
});

describe('authorizeNamespace', () => {
  const rules = { orders: { ...readsAll, accepts: ['cards'] }, cards: { encrypt: cryptoKey('shared') } };

  it.each(formats)(
    'is called before the decryption of an inner layer of another namespace in %s',
    async (outer) => {
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
    },
  );
});

describe('a budget for calls to Cloud KMS', () => {
  it('counts each data key of an inner layer once for all payloads that share it', async () => {
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

  it('ends a chain of layers before a call to Cloud KMS', async () => {
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
  it.each(formats)('is layer_unreadable inside a layer of %s', async (format) => {
    const keyService = new FakeKeyService();
    const message = await inLayer(format, keyService, compressed);
    expect(await outcomes(reader(keyService), message)).toEqual([
      refusal('layer_unreadable'),
      refusal('layer_unreadable'),
    ]);
  });

  it('passes through decode unchanged if it is stored, and is rejected by decrypt', async () => {
    const codec = reader(new FakeKeyService());
    expect((await codec.decode([compressed], orders))[0]).toBe(compressed);
    await expect(codec.decrypt(compressed, orders)).rejects.toMatchObject({ code: 'layer_unreadable' });
    expect(codec.inspect(compressed, orders)).toMatchObject({ compressed: true, format: 'plain' });
  });

  it('is rejected if the rule refuses plaintext', async () => {
    const codec = reader(new FakeKeyService(), { plaintext: 'refuse' });
    expect(await outcomes(codec, compressed)).toEqual([
      refusal('format_not_allowed'),
      refusal('format_not_allowed'),
    ]);
  });
});

it('passes binary/compressed without an algorithm, which another converter may write', async () => {
  const keyService = new FakeKeyService();
  const inner = { metadata: { encoding: Buffer.from('binary/compressed') }, data: Buffer.from('x') };
  const message = await inLayer('envelope-v2', keyService, inner);
  const [decoded] = await reader(keyService).decode([message], orders);
  expect(Buffer.from(decoded!.data!)).toEqual(inner.data);
});
