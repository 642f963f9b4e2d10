import { createCipheriv, randomBytes } from 'node:crypto';
import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import { KeyRules, type NamespaceRule } from '../../src/index.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json, valueOf, serialize } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';

const { Payload: PayloadType } = proto.temporal.api.common.v1;
const key = cryptoKey('pay');
const unsafe = ['direct-with-envelope'] as const;
const context = inNamespace('pay');
const none = new Uint8Array();

/** Payloads whose serialized form has 32 bytes, all of which an attacker knows. */
const payloadsOf32: readonly (readonly [string, Payload])[] = [
  ['a JSON value', { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"PAID"') }],
  ['a payload without an encoding', { metadata: {}, data: Buffer.alloc(30, 7) }],
  ['a payload with other metadata', { metadata: { k: randomBytes(22) }, data: Buffer.alloc(1) }],
];

/** Returns a direct message as the guide's Python code writes it, whatever the length of its plaintext. */
async function guideDirect(keyService: FakeKeyService, payload: Payload): Promise<Payload> {
  const { ciphertext } = await keyService.wrap({ key, plaintext: serialize(payload), aad: none });
  return { metadata: { encoding: Buffer.from('binary/gcp-kms') }, data: ciphertext };
}

/** Returns a message under a data key that the attacker knows. */
function forged(format: 'envelope' | 'proxy', wrapped: Uint8Array, dataKey: Uint8Array): Payload {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', dataKey, nonce);
  const data = Buffer.concat([
    nonce,
    cipher.update(serialize(json('forged'))),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  if (format === 'envelope') {
    return { metadata: { encoding: Buffer.from('binary/envelope-kms'), 'encrypted-dek': wrapped }, data };
  }
  const metadata = {
    encoding: Buffer.from('binary/encrypted'),
    'encryption-key-id': Buffer.from(`gcpkms://${key}`),
    'encryption-dek': Buffer.from(Buffer.from(wrapped).toString('base64')),
  };
  return { metadata, data };
}

// [D-3]
describe('a direct message', () => {
  it.each(payloadsOf32)('never has a plaintext of 32 bytes, even for %s', async (_, payload) => {
    expect(serialize(payload)).toHaveLength(32);
    const { codec, keyService } = codecWith(
      { pay: { encrypt: key, reads: ['direct'] } },
      { format: 'direct' },
    );
    const [stored] = await codec.encode([payload], context);
    const plaintext = await keyService.unwrap({ key, ciphertext: stored!.data!, aad: none });
    expect(plaintext).not.toHaveLength(32);
    // Every protobuf parser reads the same payload as this codec.
    expect(serialize(PayloadType.decode(plaintext))).toEqual(serialize(payload));
    const [decoded] = await codec.decode([stored!], context);
    expect(serialize(decoded!)).toEqual(serialize(payload));
  });

  describe.each(['envelope', 'proxy'] as const)('in place of a data key in the format %s', (format) => {
    it('is rejected as a data key even if the rule accepts the risk, and the codec caches the rejection', async () => {
      const rule: NamespaceRule = { encrypt: key, reads: ['direct', format], plaintext: 'refuse', unsafe };
      const { codec, keyService } = codecWith({ pay: rule });
      const [, payload] = payloadsOf32[0]!;
      const direct = await guideDirect(keyService, payload);
      const message = forged(format, direct.data!, serialize(payload));
      const before = keyService.unwraps;
      for (let n = 0; n < 3; n += 1) {
        await expect(codec.decode([message], context)).rejects.toMatchObject({ code: 'malformed' });
      }
      expect(keyService.unwraps - before).toBe(1);
      expect(codec.plan([message], context).kmsCalls).toBe(0);
      // The codec still decrypts the message that the guide's code wrote in the format direct.
      expect(valueOf((await codec.decode([direct], context))[0])).toBe('PAID');
    });
  });
});

describe('a set of rules that reads direct together with envelope or proxy', () => {
  const direct: NamespaceRule = { encrypt: key, reads: ['direct'] };
  const envelope: NamespaceRule = { decrypt: [cryptoKey('other'), key], reads: ['envelope-v2', 'envelope'] };
  const proxy: NamespaceRule = { decrypt: [key], reads: ['proxy'] };
  type Refused = readonly [string, Record<string, NamespaceRule>, NamespaceRule | undefined, named: string];
  const refused: readonly Refused[] = [
    ['in one rule', { a: { encrypt: key, reads: ['direct', 'envelope'] } }, undefined, 'this rule'],
    ['in one rule, with proxy', { a: { encrypt: key, reads: ['proxy', 'direct'] } }, undefined, 'this rule'],
    ['in the default rule', {}, { encrypt: key, reads: ['direct', 'envelope'] }, 'this rule'],
    ['in two namespaces that share a key', { a: direct, b: envelope }, undefined, 'the namespace a'],
    ['in two namespaces that share a key, with proxy', { a: proxy, b: direct }, undefined, 'the namespace b'],
    ['in a namespace’s rule and the default rule', { a: envelope }, direct, 'the default rule'],
    ['in the default rule and a namespace’s rule', { a: direct }, proxy, 'the namespace a'],
    [
      'if only the rule that reads direct accepts the risk',
      { a: { ...direct, unsafe }, b: envelope },
      undefined,
      'the namespace a',
    ],
  ];
  it.each(refused)(
    'is rejected with the name of the rule that reads direct: %s',
    (_, rules, byDefault, named) => {
      expect(() => new KeyRules(rules, byDefault)).toThrow(
        `${named} reads direct under the same key ${key}: a direct message of 32 bytes can be passed off as a data key`,
      );
    },
  );

  it('is accepted if the formats do not share a key, or if the rules accept the risk by name', () => {
    const accepted: readonly (() => KeyRules)[] = [
      () => new KeyRules({ a: direct, b: { ...envelope, decrypt: [cryptoKey('other')] } }),
      () => new KeyRules({ a: direct, b: { ...envelope, unsafe }, c: { ...proxy, unsafe } }),
      () => new KeyRules({}, { encrypt: key, reads: ['direct', 'envelope', 'proxy'], unsafe }),
      () => new KeyRules({ a: { encrypt: key, reads: ['envelope-v2', 'direct', 'static'] } }),
    ];
    for (const make of accepted) expect(make).not.toThrow();
  });

  // `accepts` applies only to envelope-v2 messages, which name their namespace and whose data keys are bound
  // to it.
  it('is accepted or rejected regardless of the field accepts', async () => {
    const keyService = new FakeKeyService();
    const mine = cryptoKey('mine');
    const { codec } = codecWith(
      {
        mine: { encrypt: mine, reads: ['direct'], accepts: ['pay'] },
        pay: { encrypt: key, reads: ['envelope'] },
      },
      { keyService },
    );
    const [message] = await codecWith(
      { pay: { encrypt: key } },
      { keyService, format: 'envelope' },
    ).codec.encode([json('x')], context);
    keyService.asked.clear();
    await expect(codec.decode([message!], inNamespace('mine'))).rejects.toMatchObject({
      code: 'format_not_allowed',
    });
    const [stored] = await codecWith(
      { pay: { encrypt: key } },
      { keyService, format: 'direct' },
    ).codec.encode([json('x')], context);
    await expect(codec.decode([stored!], inNamespace('mine'))).rejects.toMatchObject({
      code: 'key_not_allowed',
    });
    expect(keyService.asked).toEqual(new Set([key]));
  });
});
