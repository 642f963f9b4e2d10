import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Payload } from '../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from './support/codec.ts';
import { FakeKeyService } from './support/fake-key-service.ts';

/* What somebody who can write to Temporal's store may put where a message was, and what the reader says to it. */

const pay = { encrypt: cryptoKey('shared') };
const rules = { pay, ship: { encrypt: cryptoKey('shared') }, own: { encrypt: cryptoKey('own') } };

const sealedIn = async (namespace: string, keyService: FakeKeyService, options = {}, workflowId?: string) => {
  const [payload] = await codecWith(rules, { keyService, ...options }).codec.encode(
    [json('secret')],
    inNamespace(namespace, workflowId),
  );
  return payload!;
};

describe('a message moved to another namespace', () => {
  it('is refused, even under the same crypto key', async () => {
    const keyService = new FakeKeyService();
    const moved = await sealedIn('ship', keyService);
    const { codec } = codecWith(rules, { keyService });
    await expect(codec.decode([moved], inNamespace('pay'))).rejects.toMatchObject({
      code: 'namespace_mismatch',
    });
  });

  it('is refused without any Cloud KMS call', async () => {
    const keyService = new FakeKeyService();
    const moved = await sealedIn('ship', keyService);
    const { codec } = codecWith(rules, { keyService });
    await codec.decode([moved], inNamespace('pay')).catch(() => undefined);
    expect(keyService.unwraps).toBe(0);
  });

  it('with its namespace tag rewritten, is refused by Cloud KMS: the wrapped key is bound as well', async () => {
    const keyService = new FakeKeyService();
    const moved = await sealedIn('ship', keyService);
    const local = await sealedIn('pay', keyService);
    Buffer.from(moved.data!.buffer, moved.data!.byteOffset).set(local.data!.subarray(14, 30), 14);
    const { codec } = codecWith(rules, { keyService });
    await expect(codec.decode([moved], inNamespace('pay'))).rejects.toMatchObject({
      code: 'integrity_failed',
    });
  });

  it('is read where the rule accepts it, under the keys of either', async () => {
    const keyService = new FakeKeyService();
    const moved = await sealedIn('own', keyService);
    const { codec } = codecWith({ ...rules, pay: { ...pay, accepts: ['own'] } }, { keyService });
    expect(valueOf((await codec.decode([moved], inNamespace('pay')))[0])).toBe('secret');
    await expect(codec.decode([moved], inNamespace('ship'))).rejects.toMatchObject({
      code: 'namespace_mismatch',
    });
  });

  it.each(['envelope', 'direct'] as const)(
    'is refused in the format %s where only the accepted namespace lists its key: that format names no namespace',
    async (format) => {
      const keyService = new FakeKeyService();
      const moved = await sealedIn('own', keyService, { format });
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

  it("is read in another namespace's context by a worker of its own namespace", async () => {
    const keyService = new FakeKeyService();
    const message = await sealedIn('pay', keyService);
    const { codec } = codecWith(rules, { keyService, namespace: 'pay' });
    expect(valueOf((await codec.decode([message], inNamespace('ship')))[0])).toBe('secret');
  });
});

describe('a message moved to another workflow', () => {
  const bound = { bindWorkflow: true };

  it('is refused where it is bound to one', async () => {
    const keyService = new FakeKeyService();
    const message = await sealedIn('pay', keyService, bound, 'order-1');
    const { codec } = codecWith(rules, { keyService });
    await expect(codec.decode([message], inNamespace('pay', 'order-2'))).rejects.toMatchObject({
      code: 'workflow_mismatch',
    });
    expect(valueOf((await codec.decode([message], inNamespace('pay', 'order-1')))[0])).toBe('secret');
  });

  it('opens where nobody knows the workflow: codec server, completion by token', async () => {
    const keyService = new FakeKeyService();
    const message = await sealedIn('pay', keyService, bound, 'order-1');
    expect(
      valueOf((await codecWith(rules, { keyService }).codec.decode([message], inNamespace('pay')))[0]),
    ).toBe('secret');
  });

  it('opens in a scheduled run, whose id is the configured one and the time at which it was due', async () => {
    const keyService = new FakeKeyService();
    const message = await sealedIn('pay', keyService, bound, 'nightly');
    const { codec } = codecWith(rules, { keyService });
    const run = inNamespace('pay', 'nightly-2026-11-24T02:00:00Z');
    expect(valueOf((await codec.decode([message], run))[0])).toBe('secret');
  });

  it('is not refused where it carries no tag', async () => {
    const keyService = new FakeKeyService();
    const message = await sealedIn('pay', keyService, {}, 'order-1');
    const { codec } = codecWith(rules, { keyService, bindWorkflow: true });
    expect(valueOf((await codec.decode([message], inNamespace('pay', 'order-2')))[0])).toBe('secret');
  });
});

describe('a message under a key that is not listed', () => {
  it.each(['envelope-v2', 'envelope', 'direct'] as const)(
    '%s is refused and the key never reaches Cloud KMS',
    async (format) => {
      const keyService = new FakeKeyService();
      const reads = ['envelope-v2', format] as const;
      const foreign = { pay: { encrypt: cryptoKey('attacker') } };
      const [message] = await codecWith(foreign, { keyService, format }).codec.encode(
        [json('x')],
        inNamespace('pay'),
      );
      keyService.asked.clear();
      const { codec } = codecWith({ pay: { ...pay, reads } }, { keyService });
      await expect(codec.decode([message!], inNamespace('pay'))).rejects.toMatchObject({
        code: 'key_not_allowed',
      });
      expect([...keyService.asked]).toEqual([]);
    },
  );

  it('is read while the old key is listed for decryption, and written under the new one', async () => {
    const keyService = new FakeKeyService();
    const message = await sealedIn('pay', keyService);
    const { codec } = codecWith(
      { pay: { encrypt: cryptoKey('new'), decrypt: [cryptoKey('shared')] } },
      { keyService },
    );
    expect(valueOf((await codec.decode([message], inNamespace('pay')))[0])).toBe('secret');
    const [written] = await codec.encode([json('y')], inNamespace('pay'));
    expect(codec.inspect(written!, inNamespace('pay')).key).toBe(cryptoKey('new'));
  });
});

describe('an older, unbound message in place of a bound one', () => {
  it.each(['envelope', 'direct'] as const)(
    '%s is refused unless the namespace reads that format',
    async (format) => {
      const keyService = new FakeKeyService();
      const [message] = await codecWith({ pay }, { keyService, format }).codec.encode(
        [json('x')],
        inNamespace('pay'),
      );
      const { codec } = codecWith({ pay }, { keyService });
      await expect(codec.decode([message!], inNamespace('pay'))).rejects.toMatchObject({
        code: 'format_not_allowed',
      });
      const lenient = codecWith({ pay: { ...pay, reads: ['envelope-v2', format] } }, { keyService }).codec;
      expect(valueOf((await lenient.decode([message!], inNamespace('pay')))[0])).toBe('x');
    },
  );

  it('under a static key is refused unless the namespace reads that format', async () => {
    const key = createSecretKey(randomBytes(32));
    const message = {
      metadata: { encoding: Buffer.from('binary/encrypted'), 'encryption-key-id': Buffer.from('k1') },
      data: randomBytes(60),
    };
    const { codec } = codecWith({ pay: { ...pay, static: new Map([['k1', key]]) } });
    await expect(codec.decode([message], inNamespace('pay'))).rejects.toMatchObject({
      code: 'format_not_allowed',
    });
  });
});

describe('plaintext in place of a message', () => {
  const plain = json('forged');

  it('is refused where the rule says so', async () => {
    const { codec } = codecWith({ pay: { ...pay, plaintext: 'refuse' } });
    await expect(codec.decode([plain], inNamespace('pay'))).rejects.toMatchObject({
      code: 'format_not_allowed',
    });
  });

  it('passes and is reported by default', async () => {
    const reports: string[] = [];
    const { codec } = codecWith(
      { pay },
      { observer: { notEncrypted: ({ namespace }) => reports.push(namespace) } },
    );
    expect(await codec.decode([plain], inNamespace('pay'))).toEqual([plain]);
    expect(reports).toEqual(['pay']);
    expect((await codec.open(plain, inNamespace('pay'))).info.reason).toBe('not_encrypted');
  });

  it('passes in silence where the rule says so', async () => {
    const { codec } = codecWith({ pay: { ...pay, plaintext: 'pass' } });
    expect((await codec.open(plain, inNamespace('pay'))).info.reason).toBeUndefined();
  });
});

describe('what always passes untouched', () => {
  const reference: Payload = {
    metadata: {
      encoding: Buffer.from('json/protobuf'),
      messageType: Buffer.from('temporal.api.sdk.v1.ExternalStorageReference'),
    },
    data: Buffer.from('{}'),
    externalPayloads: [{}],
  };
  const strict = { pay: { ...pay, plaintext: 'refuse' as const } };

  it('an external-storage reference, both ways', async () => {
    const { codec } = codecWith(strict);
    expect((await codec.encode([reference], inNamespace('pay')))[0]).toBe(reference);
    expect((await codec.decode([reference], inNamespace('pay')))[0]).toBe(reference);
  });

  it('an empty payload, read', async () => {
    const { codec } = codecWith(strict);
    const empty = { metadata: { encoding: Buffer.from('binary/null') } };
    expect((await codec.decode([empty, {}], inNamespace('pay')))[0]).toBe(empty);
  });

  it('an empty array', async () => {
    const { codec } = codecWith({});
    expect(await codec.decode([], inNamespace('nowhere'))).toEqual([]);
    expect(await codec.encode([], inNamespace('nowhere'))).toEqual([]);
  });

  it("other people's binary/encrypted, which open() names as a key that isn't allowed", async () => {
    const foreign = {
      metadata: { encoding: Buffer.from('binary/encrypted'), 'encryption-key-id': Buffer.from('theirs') },
      data: randomBytes(60),
    };
    const { codec } = codecWith({ pay });
    expect((await codec.decode([foreign], inNamespace('pay')))[0]).toBe(foreign);
    await expect(codec.open(foreign, inNamespace('pay'))).rejects.toMatchObject({ code: 'key_not_allowed' });
  });
});

describe('the namespace of a call', () => {
  it('is its context’s, never another one silently', async () => {
    const { codec } = codecWith({ pay }, { namespace: 'pay' });
    await expect(codec.encode([json(1)], inNamespace('elsewhere'))).rejects.toMatchObject({
      code: 'namespace_not_configured',
    });
  });

  it("is the codec's own without a context", async () => {
    const { codec } = codecWith({ pay }, { namespace: 'pay' });
    const [sealed] = await codec.encode([json(1)]);
    expect(codec.inspect(sealed!, inNamespace('pay')).reason).toBeUndefined();
  });

  it("is the codec's own whatever the context says, in a replay worker", async () => {
    const { codec } = codecWith({ pay }, { namespace: 'pay', ignoreContext: true, bindWorkflow: true });
    const [sealed] = await codec.encode([json(1)], inNamespace('default', 'fake'));
    expect(valueOf((await codec.decode([sealed!], inNamespace('other', 'x')))[0])).toBe(1);
  });

  it('without a key that encrypts, is read only', async () => {
    const keyService = new FakeKeyService();
    const message = await sealedIn('pay', keyService);
    const { codec } = codecWith({ pay: { decrypt: [cryptoKey('shared')] } }, { keyService });
    expect(valueOf((await codec.decode([message], inNamespace('pay')))[0])).toBe('secret');
    await expect(codec.encode([json(1)], inNamespace('pay'))).rejects.toMatchObject({
      code: 'key_not_allowed',
    });
    await expect(codec.warm('pay')).resolves.toBeUndefined();
  });
});

describe('sizes', () => {
  it.each(['envelope-v2', 'envelope', 'direct'] as const)(
    'refuses to encrypt in the format %s what would be too large to be decrypted',
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

  it('above the limit are refused both ways', async () => {
    const { codec } = codecWith({ pay }, { maxPayloadBytes: 1_000 });
    await expect(codec.encode([json('x'.repeat(1_000))], inNamespace('pay'))).rejects.toMatchObject({
      code: 'too_large',
    });
    await expect(codec.decode([{ data: Buffer.alloc(1_001) }], inNamespace('pay'))).rejects.toMatchObject({
      code: 'too_large',
    });
  });

  it('compression is used from 1 KiB on and only where it saves something', async () => {
    const { codec } = codecWith({ pay }, { compression: 'zstd' });
    const small = await codec.encode([json('x'.repeat(900))], inNamespace('pay'));
    const large = await codec.encode([json('x'.repeat(9_000))], inNamespace('pay'));
    const noise = await codec.encode([{ data: randomBytes(9_000) }], inNamespace('pay'));
    expect([small, large, noise].map(([payload]) => payload!.data![1])).toEqual([0, 2, 0]);
    expect(large[0]!.data!.length).toBeLessThan(1_000);
    expect(valueOf((await codec.decode(large, inNamespace('pay')))[0])).toBe('x'.repeat(9_000));
  });
});
