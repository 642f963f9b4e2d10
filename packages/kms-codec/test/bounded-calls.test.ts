import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from './support/codec.ts';
import { FakeKeyService } from './support/fake-key-service.ts';
import { marked } from './support/layers.ts';

const rule = {
  pay: {
    encrypt: cryptoKey('pay'),
    reads: ['envelope-v2', 'envelope', 'direct'],
    unsafe: ['direct-with-envelope'],
  },
  ship: { encrypt: cryptoKey('ship') },
} as const;
const pay = inNamespace('pay');
const ship = inNamespace('ship');

/** Counts the calls that are under way at the same time, by crypto key. */
class WatchedKeyService extends FakeKeyService {
  readonly most = new Map<string, number>();
  readonly #now = new Map<string, number>();

  override async unwrap(request: Parameters<FakeKeyService['unwrap']>[0]): Promise<Uint8Array> {
    const { key } = request;
    const now = (this.#now.get(key) ?? 0) + 1;
    this.#now.set(key, now);
    this.most.set(key, Math.max(now, this.most.get(key) ?? 0));
    try {
      return await super.unwrap(request);
    } finally {
      this.#now.set(key, (this.#now.get(key) ?? 1) - 1);
    }
  }
}

/** Each under a data key of its own. */
const sealedApart = async (keyService: FakeKeyService, count: number, context = pay) => {
  const each = Array.from({ length: count }, (_, n) =>
    codecWith(rule, { keyService }).codec.encode([json(n)], context),
  );
  return (await Promise.all(each)).flat();
};

describe('callsInFlight', () => {
  it('holds back calls of one namespace beyond it, and none of another', async () => {
    const keyService = new WatchedKeyService();
    const payments = await sealedApart(keyService, 50);
    const shipments = await sealedApart(keyService, 10, ship);
    const { codec } = codecWith(rule, { keyService, limits: { callsInFlight: 16 } });
    keyService.latencyMs = 20;
    const [opened, shipped] = await Promise.all([codec.decode(payments, pay), codec.decode(shipments, ship)]);
    expect(opened.map(valueOf)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(shipped).toHaveLength(10);
    expect(Object.fromEntries(keyService.most)).toEqual({ [cryptoKey('pay')]: 16, [cryptoKey('ship')]: 10 });
  });

  it('makes room again after a call that failed', async () => {
    const keyService = new FakeKeyService();
    const sealed = await sealedApart(keyService, 5);
    const { codec } = codecWith(rule, { keyService, limits: { callsInFlight: 1 } });
    keyService.failing = 'key_disabled';
    await expect(codec.decode(sealed.slice(0, 3), pay)).rejects.toMatchObject({ code: 'key_disabled' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    keyService.failing = undefined;
    expect(await codec.decode(sealed.slice(3), pay)).toHaveLength(2);
  });
});

describe('calls that wait in their lane', () => {
  it.each([
    ['have all given up', { other: 30 }, undefined, 'kms_unavailable'],
    ['are of a request that has failed already', { other: 5_000 }, 'key_disabled', 'key_disabled'],
  ] as const)('are not made once those who need them %s', async (_, waitMs, failing, code) => {
    const keyService = new FakeKeyService();
    const sealed = await sealedApart(keyService, 40);
    const { codec } = codecWith(rule, { keyService, waitMs, limits: { callsInFlight: 2 } });
    keyService.latencyMs = 60;
    keyService.failing = failing;
    await expect(codec.decode(sealed.slice(1), pay)).rejects.toMatchObject({ code });
    keyService.failing = undefined;
    const begun = performance.now();
    await codec.decode(sealed.slice(0, 1), { ...pay, type: 'activity' });
    // Behind 39 calls, two at a time, it would have been 1,200.
    expect(performance.now() - begun).toBeLessThan(400);
    // Those that were under way at either end, and its own.
    expect(keyService.unwraps).toBeLessThan(6);
  });
});

describe('a call whose caller has left', () => {
  it.each([
    ['before it began', 0],
    ['while Cloud KMS was asked', 30],
  ])('%s rejects with the reason, and nothing more is asked', async (_, ms) => {
    const keyService = new FakeKeyService();
    const sealed = await sealedApart(keyService, 40);
    const refused: unknown[] = [];
    const { codec } = codecWith(rule, {
      keyService,
      limits: { callsInFlight: 2 },
      observer: { refused: (one) => refused.push(one) },
    });
    keyService.latencyMs = 60;
    const leave = new AbortController();
    if (ms === 0) leave.abort(new Error('left'));
    const asked = codec.decode(sealed, pay, leave);
    setTimeout(() => leave.abort(new Error('left')), ms);
    await expect(asked).rejects.toThrow('left');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(keyService.unwraps).toBe(ms === 0 ? 0 : 2);
    expect(refused).toEqual([]);
  });

  it('has one listener on its signal, however many calls wait with it', async () => {
    const keyService = new FakeKeyService();
    const sealed = await sealedApart(keyService, 2);
    const { codec } = codecWith(rule, { keyService });
    keyService.latencyMs = 30;
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    const all = Array.from({ length: 100 }, (_, n) => codec.open(sealed[n % 2]!, pay, { signal }));
    await Promise.all(all);
    expect([added.mock.calls.length, removed.mock.calls.length]).toEqual([1, 1]);
  });

  it('ends nothing for others who wait for the same data key', async () => {
    const keyService = new FakeKeyService();
    const [sealed] = await sealedApart(keyService, 1);
    const { codec } = codecWith(rule, { keyService });
    keyService.latencyMs = 60;
    const leave = new AbortController();
    const left = codec.decode([sealed!], pay, leave);
    const stays = codec.decode([sealed!], pay, new AbortController());
    leave.abort(new Error('left'));
    await expect(left).rejects.toThrow('left');
    expect((await stays).map(valueOf)).toEqual([0]);
  });
});

const long = (bytes: number) => Buffer.from('A'.repeat(bytes));

describe('a wrapped data key that is longer than 1,024 bytes', () => {
  const address = Buffer.from(`gcpkms://${cryptoKey('pay')}`);
  it.each([
    ['envelope', { encoding: Buffer.from('binary/envelope-kms'), 'encrypted-dek': long(1_025) }],
    [
      'proxy',
      {
        encoding: Buffer.from('binary/encrypted'),
        'encryption-key-id': address,
        'encryption-dek': long(9 * 2 ** 20),
      },
    ],
  ])(
    'is malformed in the format %s, asks Cloud KMS nothing and is not remembered',
    async (format, metadata) => {
      const keyService = new FakeKeyService();
      const reads = { pay: { encrypt: cryptoKey('pay'), reads: ['envelope', 'proxy'] } } as const;
      const { codec } = codecWith(reads, { keyService });
      const payload = { metadata, data: Buffer.alloc(64) };
      expect(codec.plan([payload], pay).kmsCalls, format).toBe(0);
      await expect(codec.decode([payload], pay)).rejects.toMatchObject({ code: 'malformed' });
      expect(keyService.unwraps).toBe(0);
    },
  );
});

describe('DecodePlan.kmsCalls', () => {
  it('counts the data keys that are not at hand, each once, and asks Cloud KMS for none', async () => {
    const keyService = new FakeKeyService();
    const sealed = await sealedApart(keyService, 4);
    const { codec } = codecWith(rule, { keyService });
    expect(codec.plan([...sealed, ...sealed, json('plain')], pay).kmsCalls).toBe(4);
    expect(keyService.unwraps).toBe(0);
    await codec.decode(sealed.slice(0, 3), pay);
    expect(codec.plan(sealed, pay).kmsCalls).toBe(1);
  });

  it.each(['envelope', 'direct'] as const)('counts those of the format %s', async (format) => {
    const keyService = new FakeKeyService();
    const { codec: writer } = codecWith(rule, { keyService, format });
    const sealed = await writer.encode([json(1), json(2)], pay);
    const { codec } = codecWith(rule, { keyService });
    expect(codec.plan(sealed, pay).kmsCalls).toBe(format === 'direct' ? 2 : 1);
  });

  it.each(['envelope', 'direct'] as const)(
    'counts every key that a message of the format %s without kms-key would be tried under',
    async (format) => {
      const keyService = new FakeKeyService();
      const decrypt = ['a', 'b', 'c'].map(cryptoKey);
      const many = { pay: { ...rule.pay, decrypt } };
      const [sealed] = await codecWith(many, { keyService, format }).codec.encode([json(1)], pay);
      delete sealed!.metadata!['kms-key'];
      const { codec } = codecWith(many, { keyService });
      expect(codec.plan([sealed!], pay).kmsCalls).toBe(4);
    },
  );

  it('counts no further key for a message whose data key is at hand, and a damaged one asks for none', async () => {
    const keyService = new FakeKeyService();
    const decrypt = ['a', 'b', 'c'].map(cryptoKey);
    const many = { pay: { ...rule.pay, decrypt } };
    const writer = codecWith(many, { keyService, format: 'envelope' }).codec;
    const [sealed] = await writer.encode([json(1)], pay);
    delete sealed!.metadata!['kms-key'];
    const { codec } = codecWith(many, { keyService });
    await codec.decode([sealed!], pay);
    expect([codec.plan([sealed!], pay).kmsCalls, keyService.unwraps]).toEqual([0, 1]);
    const damaged = Uint8Array.from(sealed!.data!);
    damaged[damaged.length - 1]! ^= 1;
    await expect(codec.decode([{ ...sealed, data: damaged }], pay)).rejects.toMatchObject({
      code: 'integrity_failed',
    });
    expect(keyService.unwraps).toBe(1);
  });

  it.each(['envelope', 'direct'] as const)(
    'counts messages of the format %s that carry a compression marker, or they are reserved before Cloud KMS is asked',
    async (format) => {
      const keyService = new FakeKeyService();
      const [sealed] = await codecWith(rule, { keyService, format }).codec.encode([json(1)], pay);
      const data = sealed!.data!;
      const unknown = marked(sealed!, 'unknown', data);
      const known = marked(sealed!, 'zstd', zstdCompressSync(data));
      for (const message of [unknown, known]) {
        const { codec } = codecWith(rule, { keyService });
        const reserved: string[] = [];
        const innerKmsCalls = { reserve: (ids: readonly string[]) => void reserved.push(...ids) };
        const counted = codec.plan([message], pay).kmsCalls;
        const before = keyService.unwraps;
        await codec.decode([message], pay, { innerKmsCalls });
        expect(keyService.unwraps - before).toBe(1);
        expect(counted + reserved.length).toBe(1);
      }
    },
  );

  it('counts nothing that the namespace does not read', async () => {
    const keyService = new FakeKeyService();
    const sealed = await codecWith(rule, { keyService, format: 'direct' }).codec.encode([json(1)], pay);
    const strict = { pay: { encrypt: cryptoKey('pay') } };
    expect(codecWith(strict, { keyService }).codec.plan(sealed, pay).kmsCalls).toBe(0);
  });

  it('counts nothing that is refused without a call, or whose refusal is remembered', async () => {
    const keyService = new FakeKeyService();
    const [payload] = await sealedApart(keyService, 1);
    const { codec } = codecWith(rule, { keyService });
    expect(codec.plan([payload!], ship).kmsCalls).toBe(0);
    keyService.failing = 'key_disabled';
    await expect(codec.decode([payload!], pay)).rejects.toMatchObject({ code: 'key_disabled' });
    expect(codec.plan([payload!], pay).kmsCalls).toBe(0);
  });
});
