import { describe, expect, it } from 'vitest';
import { cryptoKeyId, messageKey } from '../../src/index.ts';
import { failurePlaceholder } from '../../src/formats/failure-placeholder.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { asProxy, asSample, formats, inLayer, marked } from '../support/layers.ts';

const SHARED = cryptoKey('shared');
const secret = json('4111 1111 1111 1111');

async function underVersion(version: number, workflowId?: string): Promise<Payload> {
  const keyService = new FakeKeyService();
  keyService.version = version;
  const { codec } = codecWith({ orders: { encrypt: SHARED } }, { keyService, bindWorkflow: true });
  const [message] = await codec.encode([secret], inNamespace('orders', workflowId));
  await codec.close();
  return message!;
}

const withMetadata = (payload: Payload, entries: Record<string, string>): Payload => ({
  ...payload,
  metadata: {
    ...payload.metadata,
    ...Object.fromEntries(Object.entries(entries).map(([name, value]) => [name, Buffer.from(value)])),
  },
});

describe('a message’s key', () => {
  it.each([undefined, 'order-1'])(
    'consists of the crypto key’s id and the key version in envelope-v2, whether or not the message is bound to a workflow (%s)',
    async (workflowId) => {
      expect(messageKey(await underVersion(7, workflowId))).toEqual({
        format: 'envelope-v2',
        keyId: cryptoKeyId(SHARED),
        keyVersion: 7,
      });
    },
  );

  it('is the crypto key’s name, without a version, in the other Cloud KMS formats', async () => {
    const keyService = new FakeKeyService();
    for (const format of ['envelope', 'direct', 'proxy'] as const) {
      expect(messageKey(await inLayer(format, keyService, secret))).toEqual({ format, key: SHARED });
    }
  });

  it('contains no crypto key if the message does not name a crypto key', async () => {
    const message = await inLayer('envelope', new FakeKeyService(), secret);
    const { 'kms-key': _, ...metadata } = message.metadata!;
    expect(messageKey({ ...message, metadata })).toStrictEqual({ format: 'envelope' });
    expect(messageKey(withMetadata(message, { 'kms-key': 'secret text' }))).toStrictEqual({
      format: 'envelope',
    });
  });

  it('is the id of the static key in the static format', () => {
    expect(messageKey(asSample(secret, 'sample'))).toEqual({ format: 'static', staticKey: 'sample' });
  });

  it('does not depend on the codec’s configuration', async () => {
    const { codec } = codecWith({ other: { encrypt: cryptoKey('other') } });
    const message = await underVersion(3);
    expect(codec.inspect(message, inNamespace('other'))).not.toHaveProperty('keyVersion');
    expect(messageKey(message)).toMatchObject({ keyVersion: 3 });
    await codec.close();
  });
});

it('cryptoKeyId returns 16 hexadecimal digits', () => {
  expect(cryptoKeyId(SHARED)).toMatch(/^[0-9a-f]{16}$/);
});

describe('messageKey for a payload without a readable key', () => {
  it.each(['', 'binary/null', 'binary/plain', 'binary/protobuf', 'json/plain', 'json/protobuf'])(
    'reports plaintext with the encoding "%s", which Temporal’s converters write',
    (encoding) => {
      expect(messageKey(withMetadata(secret, { encoding }))).toEqual({ format: 'plain' });
    },
  );

  it('reports an empty payload or a reference to external storage', () => {
    expect(messageKey({})).toEqual({ format: 'plain', empty: true });
    expect(messageKey(withMetadata({}, { encoding: 'binary/null' }))).toEqual({
      format: 'plain',
      empty: true,
    });
    expect(messageKey(failurePlaceholder())).toEqual({ format: 'plain', empty: true });
    expect(messageKey(withMetadata(secret, { encoding: 'json/external-storage-reference' }))).toEqual({
      format: 'external',
    });
  });

  it('reports layer_unreadable if another codec encoded the payload, because the payload may contain messages', async () => {
    const hidden = expect.objectContaining({ problem: 'layer_unreadable' });
    expect(messageKey(withMetadata(secret, { encoding: 'binary/encrypted' }))).toEqual(hidden);
    expect(messageKey(withMetadata(secret, { encoding: 'binary/zlib' }))).toEqual(hidden);
    expect(messageKey(marked(secret, 'zstd', Buffer.from('x')))).toEqual(hidden);
    expect(messageKey(marked(await underVersion(1), 'zstd', Buffer.from('x')))).toEqual(hidden);
  });

  it('reports malformed if the header is truncated at any byte, and unsupported_version if its version is unknown', async () => {
    const { metadata, data } = await underVersion(1);
    for (let length = 0; length < 48; length += 1) {
      expect(messageKey({ metadata: metadata!, data: data!.subarray(0, length) })).toEqual({
        format: 'envelope-v2',
        problem: 'malformed',
      });
    }
    expect(messageKey({ metadata: metadata!, data: Buffer.of(3, 0) })).toMatchObject({
      problem: 'unsupported_version',
    });
  });
});

it('messageKey and inspect report the same format, and inspect also reports the crypto key, except in the format static', async () => {
  const keyService = new FakeKeyService();
  const { codec } = codecWith({
    orders: { encrypt: SHARED, reads: formats, unsafe: ['direct-with-envelope'] },
  });
  for (const format of formats) {
    const message = await inLayer(format, keyService, secret);
    expect(messageKey(message).format).toBe(format);
    expect(codec.inspect(message, inNamespace('orders'))).toMatchObject({
      format,
      ...(format !== 'static' && { key: SHARED }),
    });
  }
  expect(messageKey(await asProxy(keyService, secret)).format).toBe('proxy');
  await codec.close();
});
