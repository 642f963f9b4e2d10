import { encryptedFormats } from '../../../src/keys/key-rules.ts';
import { unsafeSettings } from '../../../src/keys/key-rules.ts';
import type { ReasonCode } from '../../../src/errors.ts';
import type { Payload } from '../../../src/formats/payload.ts';
import { compressedBy, proxyCompressed, proxyContents } from '../../support/proxy-compressed.ts';
import { asVector, changed, payload, utf8 } from '../make/bytes.ts';
import { inLayer, marked } from '../make/layers.ts';
import { staticRule } from '../make/older.ts';
import { KEY, NAMESPACE, secret } from '../make/v2.ts';
import type { Vector, VectorFile, VectorRule } from '../make/vector.ts';
import { frame, raw, zeros } from '../make/zstd.ts';

const ZSTD = 'application/zstd';
const SNAPPY = 'application/x-snappy-framed';
const LZ4 = 'application/x-lz4';
const MiB = 2 ** 20;

interface Case {
  readonly name: string;
  readonly why: string;
  readonly stored: Payload;
  readonly format?: Vector['format'];
  readonly kms?: Vector['kms'];
  readonly rule?: VectorRule;
  readonly limit?: number;
  readonly expect: Payload | ReasonCode;
  readonly asked?: Vector['asked'];
}

const one = (given: Case): Vector => ({
  name: given.name,
  why: given.why,
  format: given.format ?? 'plain',
  keys: {
    namespaces: {
      [NAMESPACE]: {
        encrypt: KEY,
        reads: [...encryptedFormats],
        unsafe: [...unsafeSettings],
        ...staticRule,
        ...given.rule,
      },
    },
  },
  ...(given.limit === undefined ? {} : { codec: { maxDecompressedBytes: given.limit } }),
  context: { namespace: NAMESPACE },
  kms: given.kms ?? [],
  stored: asVector(given.stored),
  expect: typeof given.expect === 'string' ? { code: given.expect } : { payload: asVector(given.expect) },
  asked: given.asked ?? [],
});

const bytes = (content: Uint8Array): Payload => payload({ encoding: 'binary/plain' }, content);
const empty = bytes(Buffer.alloc(0));
const compressed = (algorithm: string, data: Uint8Array): Payload => marked(empty, algorithm, data);

const made = proxyCompressed.flatMap(({ name, algorithm, compressed: data, content }) => {
  const inner = inLayer('proxy', { payload: compressed(algorithm, data), kms: [] }, name);
  return [
    one({
      name: `decompresses what the proxy’s code compressed: ${name}`,
      why: 'A namespace behind a proxy that compresses and does not encrypt.',
      stored: compressed(algorithm, data),
      expect: bytes(content),
    }),
    one({
      name: `decrypts, then decompresses what the proxy’s code compressed: ${name}`,
      why: 'The proxy compresses before it encrypts.',
      stored: inner.payload,
      format: 'proxy',
      kms: [...inner.kms],
      expect: bytes(content),
      asked: [KEY],
    }),
  ];
});

/** Creates a snappy block with one literal of at most 60 bytes. */
const snappyLiteral = (content: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of(content.length, (content.length - 1) << 2), content]);

const ciphertexts = encryptedFormats.map((format) => {
  const message = inLayer(format, { payload: secret, kms: [] }, `compressed ${format}`);
  const data = message.payload.data ?? Buffer.alloc(0);
  return one({
    name: `decompresses, then decrypts ${format}`,
    why: 'This library in a worker behind a proxy that compresses and does not encrypt.',
    stored: marked(message.payload, ZSTD, frame({ declared: data.length, blocks: raw(data) })),
    format,
    kms: [...message.kms],
    expect: secret,
    asked: format === 'static' ? [] : [KEY],
  });
});

/** The checksums of the descriptors below. */
const descriptors = new Map([
  [0x60, 0x82],
  [0x68, 0x05],
]);

/** Creates an LZ4 frame with blocks of at most 64 KiB, a content size of 0 if the flags contain one, and one block. */
const lz4Frame = (flags: number, block: Uint8Array): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(block.length);
  const size = Buffer.alloc(flags & 0x08 ? 8 : 0);
  const head = [Buffer.from('04224d18', 'hex'), Buffer.of(flags, 0x40), size];
  return Buffer.concat([...head, Buffer.of(descriptors.get(flags) ?? 0), length, block, Buffer.alloc(4)]);
};

const unmarked = inLayer('envelope-v2', { payload: secret, kms: [] }, 'with an unknown marker');

const refused = (name: string, algorithm: string, data: Uint8Array, why: string, limit?: number): Vector =>
  one({
    name,
    why,
    stored: compressed(algorithm, data),
    ...(limit === undefined ? {} : { limit }),
    expect: limit === undefined ? 'malformed' : 'too_large',
  });

const [zstd, snappy, lz4] = [compressedBy(ZSTD), compressedBy(SNAPPY), compressedBy(LZ4)];
const undeclared = compressedBy(ZSTD, 'short');
/** The contents of the fixtures above. */
const text = proxyContents.text;
const small = utf8('a few bytes');

export const marker: VectorFile = {
  about:
    'Payloads that temporalio/temporal-proxy marks as compressed: the metadata entry compression/algorithm.',
  vectors: [
    ...made,
    ...ciphertexts,
    ...(
      [
        ['zstd', zstd],
        ['snappy', snappy],
        ['lz4', lz4],
      ] as const
    ).map(([name, data]) =>
      one({
        name: `accepts the proxy’s setting as a marker: ${name}`,
        why: 'The proxy’s RFC uses these names; its compressors write media types.',
        stored: compressed(name, data),
        expect: bytes(text),
      }),
    ),
    one({
      name: 'keeps other metadata and removes the marker',
      why: 'The proxy does the same for a worker.',
      stored: {
        metadata: {
          ...payload({ encoding: 'binary/plain', trace: 'kept' }, '').metadata,
          'compression/algorithm': utf8(SNAPPY),
        },
        data: snappyLiteral(small),
      },
      expect: payload({ encoding: 'binary/plain', trace: 'kept' }, small),
    }),
    one({
      name: 'passes an unknown marker if nothing was decrypted',
      why: 'Another codec may decode afterwards.',
      stored: compressed('application/x-br', small),
      expect: compressed('application/x-br', small),
    }),
    one({
      name: 'passes an empty marker as unknown',
      why: 'It names no algorithm.',
      stored: compressed('', small),
      expect: compressed('', small),
    }),
    one({
      name: 'passes a marker in other letters as unknown',
      why: 'The reader compares metadata byte by byte.',
      stored: compressed('ZSTD', small),
      expect: compressed('ZSTD', small),
    }),
    one({
      name: 'ignores an unknown marker on a message',
      why: 'The message is authenticated and the marker is not. Nothing shows that its data is compressed.',
      stored: marked(unmarked.payload, 'application/x-br', unmarked.payload.data ?? Buffer.alloc(0)),
      format: 'envelope-v2',
      kms: [...unmarked.kms],
      expect: secret,
      asked: [KEY],
    }),
    one({
      name: 'refuses an empty payload with a marker if the namespace refuses plaintext',
      why: 'It is refused before it is decompressed.',
      stored: marked(payload({}, ''), ZSTD, Buffer.alloc(0)),
      rule: { plaintext: 'refuse' },
      expect: 'format_not_allowed',
    }),
    one({
      name: 'refuses a compressed payload if the namespace refuses plaintext',
      why: 'The reader does not decompress what an attacker may have written to the store.',
      stored: compressed(ZSTD, zstd),
      rule: { plaintext: 'refuse' },
      expect: 'format_not_allowed',
    }),
    one({
      name: 'decompresses no bytes of zstd to no bytes',
      why: 'klauspost/compress, the proxy’s library, does the same.',
      stored: compressed(ZSTD, Buffer.alloc(0)),
      expect: empty,
    }),
    refused('refuses no bytes in snappy', SNAPPY, Buffer.alloc(0), 'A block starts with its size.'),
    refused('refuses no bytes in lz4', LZ4, Buffer.alloc(0), 'A frame starts with its magic number.'),
    ...(
      [
        ['zstd', ZSTD, zstd],
        ['snappy', SNAPPY, snappy],
        ['lz4', LZ4, lz4],
      ] as const
    ).flatMap(([name, algorithm, data]) => [
      refused(`refuses truncated ${name}`, algorithm, data.subarray(0, -1), 'Its last byte is missing.'),
      refused(
        `refuses a byte after ${name}`,
        algorithm,
        Buffer.concat([data, Buffer.of(0)]),
        'The data must be one whole frame or block.',
      ),
      refused(
        `refuses text that is marked as ${name}`,
        algorithm,
        utf8('{"order":7}'),
        'The text has no valid header.',
      ),
      refused(
        `refuses more than the limit in ${name}`,
        algorithm,
        data,
        'The reader checks the size before it allocates memory.',
        5_284,
      ),
      one({
        name: `decompresses exactly the limit in ${name}`,
        why: 'The limit is the largest size that passes.',
        stored: compressed(algorithm, data),
        limit: 5_285,
        expect: bytes(text),
      }),
    ]),
    refused(
      'refuses a modified checksum in zstd',
      ZSTD,
      changed(zstd, zstd.length - 1),
      'The proxy writes one.',
    ),
    refused('refuses a modified checksum in lz4', LZ4, changed(lz4, lz4.length - 1), 'The proxy writes one.'),
    refused(
      'refuses a modified descriptor in lz4',
      LZ4,
      changed(lz4, 4, 0x08),
      'The descriptor has a separate checksum.',
    ),
    refused(
      'refuses a dictionary in zstd',
      ZSTD,
      frame({ declared: 1, blocks: raw(Buffer.of(1)), descriptor: 1, dictionaryId: Buffer.of(9) }),
      'The proxy uses no dictionary.',
    ),
    one({
      name: 'decompresses zstd without a content size',
      why: 'klauspost/compress writes no content size below 256 bytes.',
      stored: compressed(ZSTD, undeclared),
      expect: bytes(utf8('{"order":7,"order2":7,"order3":7}')),
    }),
    refused(
      'refuses zstd without a content size whose blocks contain more than the limit',
      ZSTD,
      frame({ declared: 'none', blocks: zeros(2 * MiB) }),
      'Sixty-four bytes represent 2 MiB.',
      MiB,
    ),
    refused(
      'refuses zstd without a content size whose window is larger than the limit',
      ZSTD,
      frame({ declared: 'none', blocks: raw(Buffer.of(1)) }),
      'A decompressor would allocate the window.',
      128 * 1024 - 1,
    ),
    refused(
      'refuses a snappy block that declares more than it contains',
      SNAPPY,
      Buffer.of(40, 0, 1),
      'It contains one literal of one byte.',
    ),
    refused(
      'refuses a snappy block that contains more than it declares',
      SNAPPY,
      Buffer.of(1, 4, 1, 2),
      'It declares one byte and contains two.',
    ),
    refused(
      'refuses a snappy block that declares more than 32 bits',
      SNAPPY,
      Buffer.of(0xff, 0xff, 0xff, 0xff, 0x1f, 0, 1),
      'The reader reads the size first.',
    ),
    one({
      name: 'decompresses a snappy literal whose length has more bytes than it needs',
      why: 'The format does not require the shortest form, also not at the end of a block.',
      stored: compressed(SNAPPY, Buffer.of(2, 0xf0, 1, 0x6c, 0x7f)),
      expect: bytes(Buffer.of(0x6c, 0x7f)),
    }),
    one({
      name: 'decompresses every kind of snappy element in their longest forms',
      why: 'Lengths and offsets of four bytes, and a copy that overlaps what it writes.',
      stored: compressed(
        SNAPPY,
        Buffer.of(14, 0xfc, 1, 0, 0, 0, 0x61, 0x62, 0x0f, 2, 0, 0, 0, 0x05, 1, 0x06, 2, 0, 0xf0, 0, 0x63),
      ),
      expect: bytes(utf8('abababbbbbbbbc')),
    }),
    refused(
      'refuses an LZ4 match with the offset 0',
      LZ4,
      lz4Frame(0x60, Buffer.concat([Buffer.of(0x10, 0x61, 0, 0, 0x60), utf8('bbbbbb')])),
      'It would copy bytes that do not exist yet. Some decompressors write zero bytes.',
    ),
    refused(
      'refuses an LZ4 frame that declares no bytes and contains some',
      LZ4,
      lz4Frame(0x68, Buffer.concat([Buffer.of(0x60), utf8('bbbbbb')])),
      'Some libraries take a declared size of 0 for none.',
    ),
    {
      ...one({
        name: 'reports LZ4 above the limit of the call rather than a modified checksum',
        why: 'The reader measures the content, and reserves memory for it, before it decompresses.',
        stored: compressed(LZ4, changed(lz4, lz4.length - 1)),
        expect: 'too_large',
      }),
      codec: { maxCallBytes: 5_284 },
    },
    refused(
      'refuses a snappy copy from before the start',
      SNAPPY,
      Buffer.of(8, 0, 1, 0x0d, 9),
      'The offset is nine after one byte.',
    ),
    refused(
      'refuses a snappy copy with the offset 0',
      SNAPPY,
      Buffer.of(8, 0, 1, 0x0d, 0),
      'It would copy bytes that do not exist yet.',
    ),
  ],
};
