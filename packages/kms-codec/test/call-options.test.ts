import { randomBytes } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { type CallOptions, defaultLimits, KmsCodecError, type PlaintextBudget } from '../src/index.ts';
import type { Payload } from '../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from './support/codec.ts';
import { FakeKeyService } from './support/fake-key-service.ts';
import { formats, inLayer, readsAll } from './support/layers.ts';

const MiB = 2 ** 20;
const orders = inNamespace('orders');
const rules = {
  orders: { encrypt: cryptoKey('shared'), accepts: ['cards'] },
  cards: { encrypt: cryptoKey('shared') },
};
const zeros = (bytes: number): Payload => ({
  metadata: { encoding: Buffer.from('binary/plain') },
  data: Buffer.alloc(bytes),
});

/** A budget that records reservations. */
class Recorded implements PlaintextBudget {
  readonly reserved: number[] = [];
  readonly #reserve: (bytes: number) => void | Promise<void>;

  constructor(reserve: (bytes: number) => void | Promise<void> = () => undefined) {
    this.#reserve = reserve;
  }

  reserve(bytes: number): void | Promise<void> {
    this.reserved.push(bytes);
    return this.#reserve(bytes);
  }
}

describe('a call of the codec', () => {
  // [L-3]
  it('limits the total plaintext of all payloads, even if the ciphertext is small', async () => {
    const { codec } = codecWith(rules, { compression: 'zstd', maxCallBytes: 20 * MiB });
    const [bomb] = await codec.encode([zeros(8 * MiB)], orders);
    expect(bomb!.data!.length).toBeLessThan(2_000);
    await expect(codec.decode([bomb!, bomb!], orders)).resolves.toHaveLength(2);
    await expect(codec.decode([bomb!, bomb!, bomb!], orders)).rejects.toMatchObject({ code: 'too_large' });
  });

  // [L-5]
  it('limits the plaintext in encode, so that one call of decode can decode all results', async () => {
    const { codec } = codecWith(rules, { maxCallBytes: MiB });
    const half = zeros(MiB / 2 - 1_000);
    await expect(codec.encode([half, half], orders)).resolves.toHaveLength(2);
    await expect(codec.encode([half, half, half], orders)).rejects.toMatchObject({ code: 'too_large' });
  });

  it.each([undefined, 'zstd'] as const)(
    'never encodes plaintext that would be too large to decode, with compression %s',
    async (compression) => {
      const { codec } = codecWith(rules, { maxCallBytes: 10_000, compression });
      let written = 0;
      for (let size = 1_000; size <= 5_000; size += 7) {
        const random = { ...zeros(size), data: randomBytes(size) };
        const payloads = [random, random];
        const messages = await codec.encode(payloads, orders).catch(() => undefined);
        if (messages === undefined) continue;
        written += 1;
        await expect(codec.decode(messages, orders)).resolves.toHaveLength(2);
      }
      expect(written).toBeGreaterThan(100);
    },
  );

  it('does not compress plaintext that exceeds the limit for decompression', async () => {
    const { codec } = codecWith(rules, { compression: 'zstd', maxDecompressedBytes: MiB });
    const payload = zeros(2 * MiB);
    const [decoded] = await codec.decode(await codec.encode([payload], orders), orders);
    expect(decoded!.data!.length).toBe(payload.data!.length);
  });
});

describe("a caller's budget", () => {
  it('receives a reservation for many metadata entries before the codec creates them', async () => {
    const { codec } = codecWith(rules);
    const metadata = Object.fromEntries(
      Array.from({ length: 50_000 }, (_, n) => [`k${n.toString(36)}`, Buffer.alloc(0)]),
    );
    const [message] = await codec.encode([{ metadata, data: Buffer.from('1') }], orders);
    const budget = new Recorded((bytes) => {
      if (bytes > 4 * MiB) throw new KmsCodecError('too_large', 'too many entries');
    });
    await expect(codec.decode([message!], orders, { budget })).rejects.toMatchObject({ code: 'too_large' });
    expect(budget.reserved).toEqual([expect.any(Number), 50_001 * 256]);
    const [usual] = await codec.encode([json('x')], orders);
    const asked = new Recorded();
    await codec.decode([usual!], orders, { budget: asked });
    expect(asked.reserved).toHaveLength(1);
  });

  it('receives reservations for the ciphertext and the declared size before the codec decompresses a payload', async () => {
    const { codec } = codecWith(rules, { compression: 'zstd' });
    const payload = zeros(4 * MiB);
    const [message] = await codec.encode([payload], orders);
    const budget = new Recorded((bytes) => {
      if (bytes > MiB) throw new KmsCodecError('too_large', 'no room');
    });
    await expect(codec.decode([message!], orders, { budget })).rejects.toMatchObject({ code: 'too_large' });
    const [ciphertext, declared, ...more] = budget.reserved;
    expect(ciphertext).toBeLessThan(message!.data!.length);
    expect(declared).toBeGreaterThan(4 * MiB);
    expect(declared).toBeLessThan(4 * MiB + 100);
    expect(more).toEqual([]);
  });

  it.each(['envelope-v2', 'envelope', 'direct'] as const)(
    'receives a reservation in the format %s',
    async (format) => {
      const { codec } = codecWith({ orders: { encrypt: cryptoKey('a'), reads: [format] } }, { format });
      const [message] = await codec.encode([json('a value')], orders);
      const budget = new Recorded();
      await codec.decode([message!], orders, { budget });
      expect(budget.reserved).toHaveLength(1);
      expect(budget.reserved[0]).toBeGreaterThan(0);
    },
  );

  it('can throw any error, which the caller receives unchanged', async () => {
    const rule = { encrypt: cryptoKey('a'), reads: ['direct'] } as const;
    const { codec } = codecWith({ orders: rule }, { format: 'direct' });
    const names = Array.from({ length: 17 }, (_, n) => [`k${n}`, Buffer.of(1)]);
    const messages = await codec.encode([{ metadata: Object.fromEntries(names) }], orders);
    const spent = new Error('spent');
    const budget = new Recorded(() => {
      if (budget.reserved.length > 1) throw spent;
    });
    await expect(codec.decode(messages, orders, { budget })).rejects.toBe(spent);
  });

  it('delays a payload until enough memory is available', async () => {
    const { codec } = codecWith(rules);
    const messages = await codec.encode([json(1), json(2)], orders);
    const room = Promise.withResolvers<void>();
    const budget = new Recorded(() => room.promise);
    const decoding = codec.decode(messages, orders, { budget });
    const first = await Promise.race([
      decoding.then(() => 'decoded'),
      new Promise((r) => setImmediate(r, 'waits')),
    ]);
    expect(first).toBe('waits');
    room.resolve();
    expect((await decoding).map(valueOf)).toEqual([1, 2]);
  });

  it('replaces the codec’s limit on the plaintext of one call', async () => {
    const { codec, keyService } = codecWith(rules, { maxCallBytes: 10 });
    const { codec: writer } = codecWith(rules, { keyService });
    const messages = await writer.encode([json('longer than ten bytes')], orders);
    await expect(codec.decode(messages, orders)).rejects.toMatchObject({ code: 'too_large' });
    await expect(codec.decode(messages, orders, { budget: new Recorded() })).resolves.toHaveLength(1);
  });
});

const dataOf = ({ data }: Payload) => Buffer.from(data!.buffer, data!.byteOffset, data!.length);

describe('overwrite', () => {
  const bytes = 600_000;
  const random = { ...zeros(bytes), data: randomBytes(bytes) };

  it.each(formats)(
    'decrypts the format %s into the bytes of the payload, even in an inner layer',
    async (format) => {
      const keyService = new FakeKeyService();
      const isDirect = format === 'direct';
      const message = await inLayer(format, keyService, isDirect ? json('x') : random);
      const layers = await inLayer('envelope-v2', keyService, message);
      const { codec } = codecWith({ orders: readsAll }, { keyService });
      const budget = new Recorded();
      for (const payload of [message, layers]) {
        const [known] = await codec.decode([payload], orders);
        const own = { ...payload, data: new Uint8Array(payload.data!) };
        const [decoded] = await codec.decode([own], orders, { overwrite: true, budget });
        expect(dataOf(decoded!).equals(dataOf(known!))).toBe(true);
        expect(decoded!.data!.buffer === own.data.buffer).toBe(!isDirect);
      }
      // A direct message reserves memory, because Cloud KMS returns the plaintext in new bytes.
      expect(budget.reserved.length).toBe(isDirect ? 2 : 0);
    },
  );

  it('leaves the header intact, so that inspect can still read the header', async () => {
    const { codec } = codecWith(rules);
    const [message] = await codec.encode([random], orders);
    const before = codec.inspect(message!, orders);
    await codec.decrypt(message!, orders, { overwrite: true });
    expect(codec.inspect(message!, orders)).toEqual(before);
  });

  it('leaves no plaintext in the buffer of a modified message', async () => {
    const { codec } = codecWith(rules);
    const [message] = await codec.encode([zeros(bytes)], orders);
    const start = message!.data!.length - bytes - 100;
    const data = Buffer.from(message!.data!);
    data[data.length - 1]! ^= 1;
    await expect(codec.decode([{ ...message, data }], orders, { overwrite: true })).rejects.toMatchObject({
      code: 'integrity_failed',
    });
    // The data now consists of the header and the nonce, zeros, and the tag.
    expect(data.subarray(0, start).equals(message!.data!.subarray(0, start))).toBe(true);
    expect(data.subarray(start + 100, -16).equals(Buffer.alloc(bytes - 16))).toBe(true);
  });

  it('reserves memory for decompressed plaintext', async () => {
    const { codec } = codecWith(rules, { compression: 'zstd' });
    const [message] = await codec.encode([zeros(bytes)], orders);
    const budget = new Recorded();
    const [decoded] = await codec.decode([message!], orders, { overwrite: true, budget });
    expect(dataOf(decoded!).equals(Buffer.alloc(bytes))).toBe(true);
    expect(budget.reserved.length).toBe(1);
    expect(budget.reserved[0]).toBeGreaterThan(bytes);
  });
});

it('keeps no view of a decoded message’s bytes, because their owner may overwrite or free them', async () => {
  const keyService = new FakeKeyService();
  const message = await inLayer('envelope', keyService, json(1));
  const { codec, clock } = codecWith({ orders: readsAll }, { keyService });
  const own = structuredClone(message);
  const unwrap = vi.spyOn(keyService, 'unwrap');
  await codec.decode([own], orders);
  own.metadata!['encrypted-dek']!.fill(0);
  clock.time += defaultLimits.revalidateMs - 1;
  // This decode makes the codec confirm the cached key.
  await codec.decode([message], orders);
  await expect.poll(() => unwrap.mock.calls.length).toBe(2);
  expect(Buffer.compare(unwrap.mock.calls[1]![0].ciphertext, message.metadata!['encrypted-dek']!)).toBe(0);
});

async function foreign(keyService: FakeKeyService) {
  const { codec } = codecWith(rules, { keyService });
  const [card] = await codec.encode([json('4111')], inNamespace('cards'));
  const [order] = await codec.encode([json('an order')], orders);
  return { card: card!, order: order! };
}

// [E-13]
describe('authorizeNamespace', () => {
  it('is called before the codec decrypts another namespace’s message, and for no other message', async () => {
    const keyService = new FakeKeyService();
    const { card, order } = await foreign(keyService);
    const { codec } = codecWith(rules, { keyService });
    const named: string[] = [];
    const options: CallOptions = {
      authorizeNamespace(namespace) {
        expect(keyService.unwraps).toBe(0);
        named.push(namespace);
      },
    };
    expect(valueOf((await codec.decrypt(card, orders, options)).payload)).toBe('4111');
    expect(valueOf((await codec.decrypt(order, orders, options)).payload)).toBe('an order');
    expect(named).toEqual(['cards']);
  });

  it('can reject a message even if the data key is cached', async () => {
    const keyService = new FakeKeyService();
    const { card } = await foreign(keyService);
    const { codec } = codecWith(rules, { keyService });
    await codec.decrypt(card, orders);
    const options: CallOptions = {
      authorizeNamespace: async (namespace) => {
        throw new KmsCodecError('namespace_not_permitted', `no permission in ${namespace}`);
      },
    };
    await expect(codec.decrypt(card, orders, options)).rejects.toMatchObject({
      code: 'namespace_not_permitted',
    });
    await expect(codec.decode([card], orders, options)).rejects.toMatchObject({
      code: 'namespace_not_permitted',
    });
  });

  it('is called with the message’s namespace if the context names another namespace', async () => {
    const keyService = new FakeKeyService();
    const { card } = await foreign(keyService);
    const { codec } = codecWith(rules, { keyService, namespace: 'cards' });
    const named: string[] = [];
    await codec.decrypt(card, orders, { authorizeNamespace: (namespace) => void named.push(namespace) });
    expect(named).toEqual(['cards']);
  });

  it('is called for each of many messages with the same header', async () => {
    const keyService = new FakeKeyService();
    const { card } = await foreign(keyService);
    const { codec } = codecWith(rules, { keyService });
    const named: string[] = [];
    const options: CallOptions = { authorizeNamespace: (namespace) => void named.push(namespace) };
    await codec.decode([card, card, card], orders, options);
    await codec.decode([card], orders, options);
    expect(named).toHaveLength(4);
  });

  it('can throw any error, which the caller receives unchanged', async () => {
    const keyService = new FakeKeyService();
    const { card } = await foreign(keyService);
    const { codec } = codecWith(rules, { keyService });
    const error = new Error('the audit cannot be written');
    const options: CallOptions = { authorizeNamespace: () => Promise.reject(error) };
    await expect(codec.decrypt(card, orders, options)).rejects.toBe(error);
  });
});

it('rejects a zstd frame whose declared size exceeds the limit, without reserving memory', async () => {
  const { codec, keyService } = codecWith(rules, { compression: 'zstd', maxDecompressedBytes: 16 * MiB });
  const { codec: strict } = codecWith(rules, { keyService, maxDecompressedBytes: MiB });
  const [message] = await codec.encode([zeros(2 * MiB)], orders);
  const budget = new Recorded();
  await expect(strict.decode([message!], orders, { budget })).rejects.toMatchObject({ code: 'too_large' });
  expect(budget.reserved).toHaveLength(1);
});
