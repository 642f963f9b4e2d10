import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { NamespaceRule, PlaintextBudget } from '../src/index.ts';
import type { Payload } from '../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from './support/codec.ts';
import { FakeKeyService } from './support/fake-key-service.ts';
import { formats, inLayer, marked, readsAll } from './support/layers.ts';
import { compressedBy, proxyCompressed } from './support/proxy-compressed.ts';
import { frame, zeros } from './vectors/make/zstd.ts';

const MiB = 2 ** 20;
const orders = inNamespace('orders');
const ZSTD = 'application/zstd';
const LZ4 = 'application/x-lz4';
const SNAPPY = 'application/x-snappy-framed';
const plain = (data: Uint8Array, algorithm: string): Payload =>
  marked({ metadata: { encoding: Buffer.from('binary/plain') } }, algorithm, data);

const reader = (
  keyService = new FakeKeyService(),
  options: Record<string, number> = {},
  rule: Partial<NamespaceRule> = {},
) => codecWith({ orders: { ...readsAll, ...rule } }, { keyService, ...options }).codec;

const decoded = async (codec: ReturnType<typeof reader>, payload: Payload, budget?: PlaintextBudget) => {
  const [one] = await codec.decode([payload], orders, budget && { budget });
  return one!;
};

describe('a payload that temporal-proxy compressed', () => {
  it.each(proxyCompressed)('is decompressed inside a layer of the proxy: $name', async (one) => {
    const keyService = new FakeKeyService();
    const stored = await inLayer('proxy', keyService, plain(one.compressed, one.algorithm));
    const { metadata, data } = await decoded(reader(keyService), stored);
    expect(Object.keys(metadata ?? {})).toEqual(['encoding']);
    expect(Buffer.from(data ?? [])).toEqual(one.content);
  });

  it.each(proxyCompressed)('is decompressed without a layer of the proxy: $name', async (one) => {
    const payload = plain(one.compressed, one.algorithm);
    const { payload: content, info } = await reader().decrypt(payload, orders);
    expect(Buffer.from(content.data ?? [])).toEqual(one.content);
    expect(Object.keys(content.metadata ?? {})).toEqual(['encoding']);
    expect(info.reason).toBe('not_encrypted');
  });

  it.each(formats)('is decrypted if the proxy compressed ciphertext in %s', async (format) => {
    const keyService = new FakeKeyService();
    const message = await inLayer(format, keyService, json('a value'));
    const stored = marked(message, ZSTD, zstdCompressSync(message.data!));
    const codec = reader(keyService);
    expect(valueOf(await decoded(codec, stored))).toBe('a value');
    expect(valueOf((await codec.decrypt(stored, orders)).payload)).toBe('a value');
    const encrypted = await inLayer('proxy', keyService, stored);
    expect(valueOf(await decoded(codec, encrypted))).toBe('a value');
  });

  it.each([
    ['zstd', ZSTD],
    ['snappy', SNAPPY],
    ['lz4', LZ4],
  ])('may also have the marker %s, a name from the proxy’s settings', async (name, algorithm) => {
    const content = await decoded(reader(), plain(compressedBy(algorithm), name));
    expect(Buffer.from(content.data!).toString()).toContain('back door');
  });

  it('is rejected before decompression if the rule forbids plaintext', async () => {
    const budget = {
      reserve: () => {
        throw new Error('decompressed');
      },
    };
    const codec = reader(undefined, {}, { plaintext: 'refuse' });
    await expect(decoded(codec, plain(compressedBy(LZ4), LZ4), budget)).rejects.toMatchObject({
      code: 'format_not_allowed',
    });
  });

  it('passes through decode unchanged if its marker is unknown, and is rejected by decrypt', async () => {
    const payload = plain(Buffer.from('of another codec'), 'application/x-br');
    const codec = reader();
    expect(await decoded(codec, payload)).toBe(payload);
    await expect(codec.decrypt(payload, orders)).rejects.toMatchObject({ code: 'layer_unreadable' });
  });

  it('is layer_unreadable if its marker is unknown and it was encrypted', async () => {
    const keyService = new FakeKeyService();
    const inner = plain(Buffer.from('of another codec'), 'application/x-br');
    const stored = await inLayer('envelope-v2', keyService, inner);
    const codec = reader(keyService);
    await expect(decoded(codec, stored)).rejects.toMatchObject({ code: 'layer_unreadable' });
    await expect(codec.decrypt(stored, orders)).rejects.toMatchObject({ code: 'layer_unreadable' });
  });
});

describe('a compressed payload', () => {
  /** 8 MiB of zeros. The test repeats matches, because an LZ4 frame of 4 MiB blocks is too large for a test. */
  const bombs: readonly [string, Buffer, number][] = [
    [ZSTD, zstdCompressSync(Buffer.alloc(8 * MiB)), 8 * MiB],
    [SNAPPY, snappyZeros(8 * MiB), 8 * MiB],
    [LZ4, lz4Zeros(3 * MiB), 3 * MiB],
  ];

  it.each(bombs)('is too_large above the limit before memory is allocated: %s', async (algorithm, data) => {
    const reserved: number[] = [];
    const budget = { reserve: (bytes: number) => void reserved.push(bytes) };
    const codec = reader(undefined, { maxDecompressedBytes: MiB });
    await expect(decoded(codec, plain(data, algorithm), budget)).rejects.toMatchObject({
      code: 'too_large',
    });
    expect(reserved).toEqual([]);
  });

  it.each(bombs)('reserves its size before memory is allocated: %s', async (algorithm, data, size) => {
    const reserved: number[] = [];
    const budget = { reserve: (bytes: number) => void reserved.push(bytes) };
    const content = await decoded(reader(), plain(data, algorithm), budget);
    expect(Buffer.from(content.data!).equals(Buffer.alloc(size))).toBe(true);
    expect(reserved).toEqual([size]);
  });

  it.each(bombs)('counts towards the total of its call: %s', async (algorithm, data, size) => {
    const codec = reader(undefined, { maxCallBytes: 2.5 * size });
    const payload = plain(data, algorithm);
    await expect(codec.decode([payload, payload], orders)).resolves.toHaveLength(2);
    await expect(codec.decode([payload, payload, payload], orders)).rejects.toMatchObject({
      code: 'too_large',
    });
  });

  it('may declare no size in zstd; then its blocks limit it', async () => {
    // klauspost/compress declares no size below 256 bytes and writes one block of at most 128 KiB.
    const reserved: number[] = [];
    const budget = { reserve: (bytes: number) => void reserved.push(bytes) };
    const small = plain(compressedBy(ZSTD, 'short'), ZSTD);
    expect(Buffer.from((await decoded(reader(), small, budget)).data!).length).toBe(33);
    expect(reserved).toHaveLength(1);
    expect(reserved[0]).toBeLessThanOrEqual(128 * 1024);
  });

  it.each([
    ['a window that is larger than the limit', Buffer.from('28b52ffd00a8010000', 'hex')],
    ['blocks of run lengths that are larger', frame({ declared: 'none', blocks: zeros(12 * MiB) })],
  ])('is too_large without a declared size in zstd, with %s', async (_, data) => {
    const codec = reader(undefined, { maxDecompressedBytes: 4 * MiB });
    await expect(decoded(codec, plain(data, ZSTD))).rejects.toMatchObject({ code: 'too_large' });
  });

  const algorithms = [ZSTD, SNAPPY, LZ4];

  it.each(algorithms)('is malformed if it is cut at any byte: %s', async (algorithm) => {
    const whole = compressedBy(algorithm);
    const codec = reader();
    for (let length = algorithm === ZSTD ? 1 : 0; length < whole.length; length += 1) {
      const error = await decoded(codec, plain(whole.subarray(0, length), algorithm)).catch(
        (e: unknown) => e,
      );
      expect(error, `${length} bytes`).toMatchObject({ code: 'malformed' });
    }
  });

  it.each(algorithms)(
    'is malformed or too_large if a changed byte changes its content: %s',
    async (algorithm) => {
      const whole = compressedBy(algorithm);
      const content = Buffer.from((await decoded(reader(), plain(whole, algorithm))).data!);
      const codec = reader(undefined, { maxDecompressedBytes: MiB });
      for (let at = 0; at < whole.length; at += 1) {
        for (const flip of [0x01, 0x80, 0xff]) {
          const changed = Buffer.from(whole);
          changed[at] = changed[at]! ^ flip;
          const outcome = await decoded(codec, plain(changed, algorithm)).then(
            ({ data }) => Buffer.from(data!),
            (error: unknown) => error,
          );
          if (!Buffer.isBuffer(outcome)) {
            expect(outcome).toMatchObject({ code: expect.stringMatching(/^(malformed|too_large)$/) });
          } else if (algorithm !== SNAPPY) {
            // Snappy has no checksum. With a checksum, an accepted change cannot change the content.
            expect(outcome.equals(content)).toBe(true);
          }
        }
      }
    },
  );

  it.each(algorithms)('is malformed with bytes behind it: %s', async (algorithm) => {
    const longer = Buffer.concat([compressedBy(algorithm), Buffer.of(0)]);
    await expect(decoded(reader(), plain(longer, algorithm))).rejects.toMatchObject({ code: 'malformed' });
  });

  it.each(algorithms)('is malformed if it is not in the format: %s', async (algorithm) => {
    for (const text of ['{"not":"compressed"}', 'ÿ'.repeat(40)]) {
      await expect(decoded(reader(), plain(Buffer.from(text), algorithm))).rejects.toMatchObject({
        code: 'malformed',
      });
    }
  });

  it('decompresses dependent LZ4 blocks and rejects an independent block that refers to another block', async () => {
    // Two blocks. The second repeats the first.
    const again = lz4Frame(0b0100_0000, [literals('0123456789abcdef'), matchOf(16, 16)]);
    const content = await decoded(reader(), plain(again, LZ4));
    expect(Buffer.from(content.data!).toString()).toBe('0123456789abcdef0123456789abcdefvwxyz');
    const independent = lz4Frame(0b0110_0000, [literals('0123456789abcdef'), matchOf(16, 16)]);
    await expect(decoded(reader(), plain(independent, LZ4))).rejects.toMatchObject({ code: 'malformed' });
  });

  it('is the same from decode and from decrypt', async () => {
    const { codec, keyService } = codecWith({ orders: { ...readsAll, encrypt: cryptoKey('shared') } });
    const stored = await inLayer('envelope-v2', keyService, plain(compressedBy(LZ4), LZ4));
    const [one] = await codec.decode([stored], orders);
    expect(one).toEqual((await codec.decrypt(stored, orders)).payload);
  });
});

function snappyZeros(size: number): Buffer {
  const preamble: number[] = [];
  let rest = size;
  for (; rest >= 0x80; rest >>>= 7) preamble.push((rest & 0x7f) | 0x80);
  preamble.push(rest);
  // One literal, then copies of 64 bytes at the offset 1. The last copy is shorter.
  const copies = Math.floor((size - 1) / 64);
  const left = size - 1 - copies * 64;
  const copy = Buffer.from([((64 - 1) << 2) | 2, 1, 0]);
  return Buffer.concat([
    Buffer.from(preamble),
    Buffer.from([0, 0]),
    ...Array.from({ length: copies }, () => copy),
    ...(left > 0 ? [Buffer.from([((left - 1) << 2) | 2, 1, 0])] : []),
  ]);
}

/** Creates a frame without checksums. */
function lz4Frame(flags: number, blocks: readonly Buffer[]): Buffer {
  const descriptor = Buffer.from([flags, 0x70]);
  const sized = blocks.flatMap((block) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(block.length);
    return [size, block];
  });
  const checksum = { 0b0100_0000: 0xdf, 0b0110_0000: 0x73 }[flags] ?? 0;
  return Buffer.concat([
    Buffer.from('04224d18', 'hex'),
    descriptor,
    Buffer.of(checksum),
    ...sized,
    Buffer.alloc(4),
  ]);
}

const extra = (length: number): number[] =>
  length < 15
    ? []
    : [...Array.from({ length: Math.floor((length - 15) / 255) }, () => 255), (length - 15) % 255];

const literals = (text: string): Buffer =>
  Buffer.concat([Buffer.of(Math.min(text.length, 15) << 4, ...extra(text.length)), Buffer.from(text)]);

/** Creates a match without literals before it and with five literals behind it. */
const matchOf = (offset: number, length: number): Buffer =>
  Buffer.concat([
    Buffer.of(Math.min(length - 4, 15), offset & 0xff, offset >> 8, ...extra(length - 4)),
    literals('vwxyz'),
  ]);

/** Creates one literal and one match of zeros. */
function lz4Zeros(size: number): Buffer {
  const length = size - 6;
  const block = Buffer.concat([
    Buffer.of(0x1f, 0, 1, 0, ...extra(length - 4)),
    Buffer.of(5 << 4, 0, 0, 0, 0, 0),
  ]);
  return lz4Frame(0b0110_0000, [block]);
}
