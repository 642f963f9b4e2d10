import { createSecretKey } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deriveDataKey, derivation, generateSalt, withDataKey } from '../../src/branch-keys/branch-key.ts';
import { encrypt } from '../../src/crypto/aead.ts';
import { type KmsCodec, KmsCodecError, KeyRules } from '../../src/index.ts';
import { tryDecrypt } from '../../src/formats/aead-message.ts';
import { envelopeV2, knownMessage } from '../../src/formats/envelope-v2.ts';
import { saltStart } from '../../src/formats/envelope-v2-header.ts';
import { type Payload, withSerialized } from '../../src/formats/payload.ts';
import { Scopes } from '../../src/formats/scope.ts';
import { codecWith, cryptoKey, json, serialize } from '../support/codec.ts';

/* Compares calls that may take a shortcut with calls that have options, which never take a shortcut. */

const rule = { encrypt: cryptoKey('k') };
const { codec, keyService } = codecWith({}, { default: rule });
const orders = { namespace: 'orders', workflowId: 'order-1' } as const;

/** Payloads with one or a few metadata entries. Some have sizes at which a varint needs another byte. */
const payload: fc.Arbitrary<Payload> = fc
  .record({
    encoding: fc.oneof(
      fc.constantFrom(
        'json/plain',
        'binary/plain',
        'binary/null',
        'binary/encrypted',
        'binary/envelope-kms-v2',
      ),
      fc.string({ maxLength: 140 }),
    ),
    more: fc.dictionary(fc.constantFrom('messageType', 'compression/algorithm', '__proto__'), fc.string(), {
      maxKeys: 1,
    }),
    length: fc.oneof(fc.nat(300), fc.constantFrom(127, 128, 16_383, 16_384, 32_767, 32_768)),
  })
  .map(({ encoding, more, length }) => ({
    metadata: Object.fromEntries(
      Object.entries({ ...more, encoding }).map(([name, text]) => [name, Buffer.from(text)]),
    ),
    data: Buffer.alloc(length, 7),
  }));

async function outcome(call: Promise<Payload[]>) {
  try {
    const [result] = await call;
    return result && { metadata: { ...result.metadata }, data: Buffer.from(result.data ?? []) };
  } catch (error) {
    if (error instanceof KmsCodecError) return error.code;
    throw error;
  }
}

const decoded = async (reader: KmsCodec, one: Payload) => ({
  shortcut: await outcome(reader.decode([one], orders)),
  complete: await outcome(reader.decode([one], orders, {})),
});

it('the shortcut serializes payloads as protobuf’s writer does', () => {
  fc.assert(
    fc.property(payload, (one) => {
      const pieces = withSerialized(one, (written) => Buffer.concat(written));
      expect(pieces).toEqual(Buffer.from(serialize(one)));
    }),
  );
});

it('encoded payloads decode identically with and without shortcuts', async () => {
  await fc.assert(
    fc.asyncProperty(payload, async (one) => {
      const [written] = await codec.encode([one], orders);
      const [complete] = await codec.encode([one], orders, {});
      expect(written && complete).toBeDefined();
      const results = await Promise.all([written, complete].map((each) => decoded(codec, each ?? {})));
      const [first] = results;
      for (const { shortcut, complete: other } of results) {
        expect(shortcut).toEqual(first?.shortcut);
        expect(other).toEqual(first?.shortcut);
      }
    }),
    { numRuns: 300 },
  );
});

it('a modified message is decoded or refused identically with and without shortcuts', async () => {
  const [message = {}] = await codec.encode([json('"a plaintext"')], orders);
  const data = Buffer.from(message.data ?? []);
  const change = fc.record({ at: fc.nat(data.length), to: fc.uint8Array({ maxLength: 3 }), cut: fc.nat(3) });
  const metadata = fc.constantFrom<Payload['metadata']>(
    message.metadata,
    { ...message.metadata, more: Buffer.from('x') },
    { ...message.metadata, 'compression/algorithm': Buffer.from('zstd') },
    { encoding: Buffer.from('json/plain') },
    {},
  );
  await fc.assert(
    fc.asyncProperty(metadata, fc.option(change), async (entries, changed) => {
      // After this decode, the scope has cached the message's header.
      await codec.decode([message], orders);
      const bytes = changed
        ? Buffer.concat([data.subarray(0, changed.at), changed.to, data.subarray(changed.at + changed.cut)])
        : data;
      const { shortcut, complete } = await decoded(codec, { metadata: entries ?? {}, data: bytes });
      expect(shortcut).toEqual(complete);
    }),
    { numRuns: 2_000 },
  );
});

const newScope = () => new Scopes({ rules: new KeyRules({}, rule) }, () => undefined).toDecrypt(orders);

describe('a scope', () => {
  it.each([undefined, 'payments'])(
    'is reused by later calls in the same namespace, of a codec with the namespace %s',
    (namespace) => {
      const scopes = new Scopes(
        { rules: new KeyRules({}, rule), ...(namespace && { namespace }) },
        () => undefined,
      );
      const { kept, rule: resolved } = scopes.toDecrypt(orders);
      expect(scopes.last('decrypt', orders)?.rule).toBe(resolved);
      expect(scopes.last('encrypt', orders)).toBeUndefined();
      expect(scopes.last('decrypt', { namespace: 'others' })).toBeUndefined();
      scopes.toDecrypt({ namespace: 'others' });
      expect(scopes.toDecrypt(orders).kept).toBe(kept);
      expect(scopes.toDecrypt(orders).rule).toBe(resolved);
    },
  );

  it('keeps a parsed header for the writer’s other messages', async () => {
    const [first = {}, second = {}] = await codec.encode([json(1), json(2)], orders);
    const { metadata, data } = second;
    const scope = newScope();
    expect(knownMessage(metadata, data!, scope)).toBeUndefined();
    const parsed = envelopeV2.parse(first, scope);
    expect(envelopeV2.parse(second, scope)).toBe(parsed);
    expect(knownMessage(metadata, data!, scope)).toBe(parsed);
    for (const other of [
      {},
      { encoding: Buffer.from('binary/other') },
      { ...metadata, more: Buffer.from('x') },
    ])
      expect(knownMessage(other, data!, scope)).toBeUndefined();
  });

  it('does not keep the header of a message that is bound to a workflow', async () => {
    const { codec: binding } = codecWith({}, { default: rule, bindWorkflow: true });
    const [message = {}] = await binding.encode([json(1)], { ...orders, type: 'workflow' });
    const scope = newScope();
    expect(envelopeV2.parse(message, scope)).toMatchObject({ boundToWorkflow: true });
    expect(scope.kept.size).toBe(0);
  });

  it('keeps the headers of the 64 most recent writers', async () => {
    const scope = newScope();
    const messages: Payload[] = [];
    const parsed: unknown[] = [];
    const starts = new Set<number>();
    while (messages.length < 65) {
      const { codec: writer } = codecWith({}, { default: rule, keyService });
      const [message = {}] = await writer.encode([json(1)], orders);
      // The scope keeps only one header for all salts with the same start.
      const start = saltStart(message.data!)!;
      if (starts.has(start)) continue;
      starts.add(start);
      messages.push(message);
      parsed.push(envelopeV2.parse(message, scope));
    }
    const known = messages.map(({ metadata, data }) => knownMessage(metadata, data!, scope));
    expect(known).toEqual([undefined, ...parsed.slice(1)]);
  });
});

it('tryDecrypt decrypts a message whose data key is in memory, unless the message was modified', () => {
  const branchKey = createSecretKey(Buffer.alloc(32, 1));
  const [salt, info, aad] = [generateSalt(), Buffer.from('info'), Buffer.from('header')];
  const { key, commitment } = deriveDataKey(branchKey, salt, info);
  const encryption = { aad, isCompressed: false, derivation: derivation(salt, commitment, info) };
  const data = encrypt(key, aad, [serialize(json('x'))]);
  expect(tryDecrypt(branchKey, data, encryption)).toBeUndefined();
  withDataKey(branchKey, encryption.derivation, () => undefined);
  expect(tryDecrypt(branchKey, data, encryption)).toEqual(json('x'));
  data[data.length - 1]! ^= 1;
  expect(tryDecrypt(branchKey, data, encryption)).toBeUndefined();
});

it.each([
  ['an array of numbers as encoding', { encoding: [...Buffer.from('binary/envelope-kms-v2')] }],
  ['a Map as metadata', Object.assign(new Map(), { encoding: Buffer.from('binary/envelope-kms-v2') })],
])('decode refuses %s even if the scope has cached the header', async (_, metadata) => {
  const [message = {}] = await codec.encode([json('"x"')], orders);
  await codec.decode([message], orders);
  const altered: any = { metadata, data: message.data };
  await expect(codec.decode([altered], orders)).rejects.toMatchObject({ code: 'malformed' });
});

it('the shortcuts apply the size limits', async () => {
  const data = Buffer.alloc(2_000);
  const large = { metadata: { encoding: Buffer.from('json/plain') }, data };
  const [message = {}] = await codec.encode([large], orders);
  for (const limit of [{ maxPayloadBytes: 1_000 }, { maxCallBytes: 1_000 }]) {
    const { codec: limited } = codecWith({}, { ...limit, keyService, default: rule });
    await limited.decode(await limited.encode([json('"small"')], orders), orders);
    await expect(limited.encode([large], orders)).rejects.toMatchObject({ code: 'too_large' });
    await expect(limited.decode([message], orders)).rejects.toMatchObject({ code: 'too_large' });
  }
});
