import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Payload } from '../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from './support/codec.ts';
import { FakeKeyService } from './support/fake-key-service.ts';
import { inLayer } from './support/layers.ts';

/*
 * Tests how the codec reacts to the payloads that an attacker with write access to Temporal's store can put
 * in place of a message.
 */

const pay = { encrypt: cryptoKey('shared') };
const rules = { pay, ship: { encrypt: cryptoKey('shared') }, own: { encrypt: cryptoKey('own') } };

const encryptIn = async (
  namespace: string,
  keyService: FakeKeyService,
  options = {},
  workflowId?: string,
) => {
  const [payload] = await codecWith(rules, { keyService, ...options }).codec.encode(
    [json('secret')],
    inNamespace(namespace, workflowId),
  );
  return payload!;
};

describe('a message moved to another namespace', () => {
  it.each(['envelope', 'direct'] as const)(
    'is rejected in the format %s, which names no namespace, if only the rule of the accepted namespace lists the key',
    async (format) => {
      const keyService = new FakeKeyService();
      const moved = await encryptIn('own', keyService, { format });
      const reader = { ...pay, accepts: ['own'], reads: [format] };
      const { codec } = codecWith({ ...rules, pay: reader }, { keyService });
      await expect(codec.decode([moved], inNamespace('pay'))).rejects.toMatchObject({
        code: 'key_not_allowed',
      });
      const { metadata, data } = moved;
      const { 'kms-key': _, ...unnamed } = metadata!;
      await expect(codec.decode([{ metadata: unnamed, data: data! }], inNamespace('pay'))).rejects.toThrow();
    },
  );
});

const inActivity = (workflowId: string) => ({ type: 'activity', namespace: 'pay', workflowId }) as const;

const bound = { bindWorkflow: true };

describe('the codec with another workflow’s messages', () => {
  it('reports that a message is bound to a workflow, even if the context contains no workflow', async () => {
    const keyService = new FakeKeyService();
    const message = await encryptIn('pay', keyService, bound, 'order-1');
    const { codec } = codecWith(rules, { keyService });
    expect(codec.inspect(message, inNamespace('pay', 'order-1')).boundToWorkflow).toBe(true);
    expect(codec.inspect(message, inNamespace('pay')).boundToWorkflow).toBe(true);
    const free = await encryptIn('pay', keyService, {}, 'order-1');
    expect(codec.inspect(free, inNamespace('pay', 'order-1'))).not.toHaveProperty('boundToWorkflow');
  });

  it('decrypts a workflow’s message in every other workflow that the same schedule starts', async () => {
    const keyService = new FakeKeyService();
    const action = await encryptIn('pay', keyService, bound, 'nightly');
    const { codec } = codecWith(rules, { keyService, ...bound });
    // Temporal passes a run's result to the schedule's next run.
    const result = await encryptIn('pay', keyService, bound, 'nightly-2026-11-24T02:00:00Z');
    for (const message of [action, result]) {
      const next = inNamespace('pay', 'nightly-2026-11-25T02:00:00Z');
      expect(valueOf((await codec.decode([message], next))[0])).toBe('secret');
    }
  });

  // [W-2] [W-3]
  it('rejects an activity’s message in the schedule’s next workflow', async () => {
    const { codec } = codecWith(rules, bound);
    const run = inActivity('nightly-2026-11-24T02:00:00Z');
    const [message] = await codec.encode([json('secret')], run);
    expect(valueOf((await codec.decode([message!], run))[0])).toBe('secret');
    for (const other of ['nightly-2026-11-25T02:00:00Z', 'nightly']) {
      await expect(codec.decode([message!], inActivity(other))).rejects.toMatchObject({
        code: 'workflow_mismatch',
      });
    }
  });

  it('binds each of its messages to the message’s own workflow', async () => {
    const { codec } = codecWith(rules, bound);
    for (const own of ['order-1', undefined, 'order-2']) {
      const [message] = await codec.encode([json(1)], inNamespace('pay', own));
      for (const reader of ['order-1', 'order-2']) {
        const { reason } = codec.inspect(message!, inNamespace('pay', reader));
        expect(reason).toBe(own === undefined || own === reader ? undefined : 'workflow_mismatch');
      }
    }
  });

  it('does not bind a message to a workflow if the context’s workflow id is empty', async () => {
    const { codec } = codecWith(rules, bound);
    const [message] = await codec.encode([json('secret')], inNamespace('pay', ''));
    expect(codec.inspect(message!, inNamespace('pay'))).not.toHaveProperty('boundToWorkflow');
  });
});

describe('after the encryption key changes, the codec', () => {
  it('reports the key version of an old message even if the old key is not listed', async () => {
    const keyService = new FakeKeyService();
    const message = await encryptIn('pay', keyService);
    const { codec } = codecWith({ pay: { encrypt: cryptoKey('new') } }, { keyService });
    const info = codec.inspect(message, inNamespace('pay'));
    expect(info).toMatchObject({ reason: 'key_not_allowed', keyVersion: 1 });
  });

  it('decrypts old messages while the old key is listed for decryption, and encrypts with the new key', async () => {
    const keyService = new FakeKeyService();
    const message = await encryptIn('pay', keyService);
    const { codec } = codecWith(
      { pay: { encrypt: cryptoKey('new'), decrypt: [cryptoKey('shared')] } },
      { keyService },
    );
    expect(valueOf((await codec.decode([message], inNamespace('pay')))[0])).toBe('secret');
    const [written] = await codec.encode([json('y')], inNamespace('pay'));
    expect(codec.inspect(written!, inNamespace('pay')).key).toBe(cryptoKey('new'));
  });
});

describe('the codec with plaintext in place of a message', () => {
  const plain = json('forged');

  it('returns the plaintext unchanged and reports it by default', async () => {
    const reports: string[] = [];
    const { codec } = codecWith(
      { pay },
      { observer: { notEncrypted: ({ namespace }) => reports.push(namespace) } },
    );
    expect(await codec.decode([plain], inNamespace('pay'))).toEqual([plain]);
    expect(reports).toEqual(['pay']);
    const bytes = plain.data!.length;
    const info = { format: 'plain', encoding: 'json/plain', bytes, reason: 'not_encrypted' };
    expect(codec.inspect(plain, inNamespace('pay'))).toStrictEqual(info);
    for (const payload of [plain, { data: plain.data! }])
      expect((await codec.decrypt(payload, inNamespace('pay'))).info.reason).toBe('not_encrypted');
  });

  it('returns the plaintext unchanged without a report if the rule allows plaintext', async () => {
    const { codec } = codecWith({ pay: { ...pay, plaintext: 'pass' } });
    expect((await codec.decrypt(plain, inNamespace('pay'))).info.reason).toBeUndefined();
  });
});

describe('a codec that passes payloads through', () => {
  const reference: Payload = {
    metadata: {
      encoding: Buffer.from('json/protobuf'),
      messageType: Buffer.from('temporal.api.sdk.v1.ExternalStorageReference'),
    },
    data: Buffer.from('{}'),
    externalPayloads: [{}],
  };
  const strict = { pay: { ...pay, plaintext: 'refuse' as const } };

  it('returns a reference to external storage unchanged, in encode and decode, unless the rule refuses plaintext', async () => {
    const { codec } = codecWith({ pay });
    expect((await codec.encode([reference], inNamespace('pay')))[0]).toBe(reference);
    expect((await codec.decode([reference], inNamespace('pay')))[0]).toBe(reference);
    expect(codec.inspect(reference, inNamespace('pay')).reason).toBe('external_reference');
    const other = { ...reference, metadata: { ...reference.metadata, encoding: Buffer.from('json/plain') } };
    const [encrypted] = await codec.encode([other], inNamespace('pay'));
    expect(codec.inspect(encrypted!, inNamespace('pay')).format).toBe('envelope-v2');
  });

  // [F-8]
  it('returns an empty payload unchanged in decode, although it encrypts empty payloads in encode', async () => {
    const { codec } = codecWith(strict);
    const empty = { metadata: { encoding: Buffer.from('binary/null') } };
    expect((await codec.decode([empty, {}], inNamespace('pay')))[0]).toBe(empty);
    const [encrypted] = await codec.encode([empty], inNamespace('pay'));
    expect(codec.inspect(encrypted!, inNamespace('pay')).format).toBe('envelope-v2');
  });

  it('returns an empty array for an empty array of payloads', async () => {
    const { codec } = codecWith({});
    expect(await codec.decode([], inNamespace('nowhere'))).toEqual([]);
    expect(await codec.encode([], inNamespace('nowhere'))).toEqual([]);
  });

  // [N-5] [N-6]
  it('returns another codec’s binary/encrypted payload unchanged in decode, although decrypt() rejects it with key_not_allowed', async () => {
    const foreign = {
      metadata: { encoding: Buffer.from('binary/encrypted'), 'encryption-key-id': Buffer.from('theirs') },
      data: randomBytes(60),
    };
    const { codec } = codecWith({ pay });
    expect((await codec.decode([foreign], inNamespace('pay')))[0]).toBe(foreign);
    await expect(codec.decrypt(foreign, inNamespace('pay'))).rejects.toMatchObject({
      code: 'key_not_allowed',
    });
  });
});

describe('a call of the codec', () => {
  it('uses the context’s namespace, and never another namespace', async () => {
    const { codec } = codecWith({ pay }, { namespace: 'pay' });
    await expect(codec.encode([json(1)], inNamespace('elsewhere'))).rejects.toMatchObject({
      code: 'namespace_not_configured',
    });
  });

  it("uses the codec's namespace if the call has no context", async () => {
    const { codec } = codecWith({ pay }, { namespace: 'pay' });
    const [encrypted] = await codec.encode([json(1)]);
    expect(codec.inspect(encrypted!, inNamespace('pay')).reason).toBeUndefined();
  });

  it("uses the codec's namespace with ignoreContext, regardless of the context", async () => {
    const { codec } = codecWith({ pay }, { namespace: 'pay', ignoreContext: true, bindWorkflow: true });
    const [encrypted] = await codec.encode([json(1)], inNamespace('default', 'fake'));
    expect(valueOf((await codec.decode([encrypted!], inNamespace('other', 'x')))[0])).toBe(1);
  });

  it('decodes but does not encode if the namespace’s rule has no encryption key', async () => {
    const keyService = new FakeKeyService();
    const message = await encryptIn('pay', keyService);
    const { codec } = codecWith({ pay: { decrypt: [cryptoKey('shared')] } }, { keyService });
    expect(valueOf((await codec.decode([message], inNamespace('pay')))[0])).toBe('secret');
    await expect(codec.encode([json(1)], inNamespace('pay'))).rejects.toMatchObject({
      code: 'key_not_allowed',
    });
    await expect(codec.warm('pay')).resolves.toBeUndefined();
  });
});

describe('the codec', () => {
  it.each(['envelope', 'direct'] as const)(
    'reports a rule’s only crypto key for a message in the format %s that names no key',
    async (format) => {
      const keyService = new FakeKeyService();
      const { metadata, data } = await encryptIn('pay', keyService, { format });
      const { 'kms-key': _, ...unnamed } = metadata!;
      const keyIn = (decrypt: string[]) => {
        const { codec } = codecWith({ pay: { decrypt, reads: [format] } });
        return codec.inspect({ metadata: unnamed, data: data! }, inNamespace('pay')).key;
      };
      expect(keyIn([cryptoKey('shared')])).toBe(cryptoKey('shared'));
      expect(keyIn([cryptoKey('shared'), cryptoKey('other')])).toBeUndefined();
    },
  );

  it.each(['envelope-v2', 'envelope'] as const)(
    'encrypts each namespace’s messages under a separate data key, in the format %s',
    async (format) => {
      const names = ['pay', 'ship', 'own'] as const;
      const reading = names.map((name) => [name, { ...rules[name], reads: [format] }] as const);
      const { codec, keyService } = codecWith(Object.fromEntries(reading), { format });
      for (const namespace of names) {
        const [message] = await codec.encode([json(1)], inNamespace(namespace));
        expect(codec.inspect(message!, inNamespace(namespace)).key).toBe(rules[namespace].encrypt);
      }
      expect(keyService.wraps).toBe(3);
    },
  );

  it.each(['envelope', 'proxy'] as const)(
    'accepts a wrapped data key of at most 1024 bytes in the format %s',
    async (format) => {
      const keyService = new FakeKeyService();
      const message = await inLayer(format, keyService, json(1), 'pay');
      const { codec } = codecWith({ pay: { ...pay, reads: [format] } }, { keyService });
      const reasonFor = (length: number) => {
        const wrapped = Buffer.alloc(length, 7);
        const entry =
          format === 'proxy'
            ? { 'encryption-dek': Buffer.from(wrapped.toString('base64')) }
            : { 'encrypted-dek': wrapped };
        const metadata = { ...message.metadata, ...entry };
        return codec.inspect({ ...message, metadata }, inNamespace('pay')).reason;
      };
      expect([1, 1_024].map(reasonFor)).toEqual([undefined, undefined]);
      expect([0, 1_025, 1_026, 1_027, 2 ** 24].map(reasonFor)).toEqual(Array(5).fill('malformed'));
    },
  );

  it.each(['envelope-v2', 'envelope', 'direct'] as const)(
    'returns, for each message that it encrypts in the format %s, the same facts as inspect',
    async (format) => {
      const { codec } = codecWith({ pay: { ...pay, reads: [format] } }, { format, ...bound });
      for (const context of [inNamespace('pay'), inNamespace('pay', 'order-1')]) {
        const { payloads, infos } = await codec.encodeWithInfo([json(1)], context);
        expect(infos).toEqual(payloads.map((payload) => codec.inspect(payload, context)));
      }
    },
  );

  it.each(['envelope-v2', 'envelope', 'direct'] as const)(
    'rejects a payload that would be too large to decrypt in the format %s',
    async (format) => {
      const reads = {
        ...pay,
        reads: ['envelope-v2', 'envelope', 'direct'],
        unsafe: ['direct-with-envelope'],
      } as const;
      const { codec } = codecWith({ pay: reads }, { maxPayloadBytes: 1_000, format });
      const encoding = Buffer.from('binary/plain');
      const tooLarge = [
        { metadata: { encoding }, data: Buffer.alloc(1_000) },
        { metadata: { encoding, more: Buffer.alloc(1_000) }, data: Buffer.alloc(1) },
      ];
      for (const payload of tooLarge) {
        await expect(codec.encode([payload], inNamespace('pay'))).rejects.toMatchObject({
          code: 'too_large',
        });
      }
      const fits = { metadata: { encoding }, data: Buffer.alloc(600) };
      const stored = await codec.encode([fits], inNamespace('pay'));
      await expect(codec.decode(stored, inNamespace('pay'))).resolves.toHaveLength(1);
    },
  );

  // [L-1] [L-5]
  it('rejects a payload above the size limit, both in encode and in decode', async () => {
    const { codec } = codecWith({ pay }, { maxPayloadBytes: 1_000 });
    await expect(codec.encode([json('x'.repeat(1_000))], inNamespace('pay'))).rejects.toMatchObject({
      code: 'too_large',
    });
    await expect(codec.decode([{ data: Buffer.alloc(1_001) }], inNamespace('pay'))).rejects.toMatchObject({
      code: 'too_large',
    });
  });

  // [Z-1] [Z-2]
  it('compresses only payloads of at least 1 KiB, and only if the result is smaller', async () => {
    const { codec } = codecWith({ pay }, { compression: 'zstd' });
    const small = await codec.encode([json('x'.repeat(900))], inNamespace('pay'));
    const large = await codec.encode([json('x'.repeat(9_000))], inNamespace('pay'));
    const noise = await codec.encode([{ data: randomBytes(9_000) }], inNamespace('pay'));
    expect([small, large, noise].map(([payload]) => payload!.data![1])).toEqual([0, 2, 0]);
    expect(large[0]!.data!.length).toBeLessThan(1_000);
    expect(valueOf((await codec.decode(large, inNamespace('pay')))[0])).toBe('x'.repeat(9_000));
  });
});
