import type { ReasonCode } from '../../../src/errors.ts';
import type { Payload } from '../../../src/formats/payload.ts';
import { json, payload, serialized } from '../make/bytes.ts';
import { caseV2 } from '../make/v2.ts';
import type { VectorFile } from '../make/vector.ts';
import { type Frame, frame, raw, repeated, zeros } from '../make/zstd.ts';

/* Bit 1 of the flags: the plaintext is one zstd frame. The holder of a data key can encrypt any of these. */

const GiB = 2 ** 30;
const inner = json({ note: 'a'.repeat(200) });
const content = serialized(inner);

const compressed = (
  name: string,
  why: string,
  plaintext: Uint8Array,
  code?: ReasonCode,
  result: Payload = inner,
) => caseV2({ name, why, header: { compressed: true }, plaintext, inner: result, ...(code && { code }) });

const whole = (change: Partial<Frame> = {}) =>
  frame({ declared: content.length, blocks: raw(content), ...change });

/** The plaintext `content`, as the command line tool of zstd 1.5.4 compressed it: `zstd -19 --content-size --check`. */
const fromZstd = Buffer.from(
  '28b52ffd24ee7d010074020a160a08656e636f64696e67120a6a736f6e2f706c61696e12d3017b226e6f7465223a2261227d01002552e00999608850',
  'hex',
);

const opens = [
  compressed('decompresses a compressed message', 'A raw block needs no compressor.', whole()),
  compressed(
    'decompresses what the zstd tool compressed',
    'A checksum of the content follows its last block.',
    fromZstd,
  ),
  compressed(
    'decompresses a frame of several blocks',
    'Only the last block has the last bit.',
    whole({ blocks: Buffer.concat([raw(content.subarray(0, 100), false), raw(content.subarray(100))]) }),
  ),
  compressed(
    'decompresses a frame that ends with an empty block',
    'A streaming compressor writes an empty last block.',
    whole({ blocks: Buffer.concat([raw(content, false), raw(Buffer.alloc(0))]) }),
  ),
  compressed(
    'decompresses a single-segment frame with a one-byte size',
    'Descriptor 0x20: no window, the content size in one byte.',
    Buffer.concat([Buffer.from('28b52ffd20', 'hex'), Buffer.of(content.length), raw(content)]),
  ),
  compressed(
    'decompresses a frame with a two-byte size',
    'Descriptor 0x60: two bytes, little-endian, 256 less than the size.',
    Buffer.concat([
      Buffer.from('28b52ffd60', 'hex'),
      Buffer.from(new Uint16Array([serialized(longer()).length - 256]).buffer),
      raw(serialized(longer())),
    ]),
    undefined,
    longer(),
  ),
  {
    ...compressed(
      'decompresses content of exactly the limit’s size',
      'The limit is the largest size that passes.',
      whole(),
    ),
    codec: { maxDecompressedBytes: content.length },
  },
  compressed(
    'decompresses a frame with a window of 128 MiB',
    'Window descriptor 0x88: the largest window that a reader accepts. The content is much smaller.',
    whole({ window: 0x88 }),
  ),
  {
    ...compressed(
      'decompresses content that uses up the limit of the call',
      'The compressed and the decompressed bytes count.',
      whole(),
    ),
    codec: { maxCallBytes: whole().length + content.length },
  },
  compressed(
    'decompresses an empty payload',
    'The declared size is 0.',
    frame({ declared: 0, blocks: raw(Buffer.alloc(0)) }),
    undefined,
    {},
  ),
];

const traps = [
  compressed(
    'refuses a frame of 32 KiB that contains 1 GiB, by the size that it declares',
    'In run-length blocks, four bytes represent 128 KiB. The reader must not allocate memory for them.',
    frame({ declared: GiB, blocks: zeros(GiB) }),
    'too_large',
  ),
  compressed(
    'refuses a declared size of 1 GiB before a few bytes',
    'The reader checks the declared size before it reads the blocks.',
    frame({ declared: GiB, blocks: raw(content) }),
    'too_large',
  ),
  compressed(
    'reports a declared size of 1 GiB rather than a truncated frame',
    'The size is in the header of the frame.',
    frame({ declared: GiB, blocks: Buffer.alloc(0) }),
    'too_large',
  ),
  compressed(
    'refuses a declared size of 2^64 - 1',
    'The size has eight bytes, unsigned; it must not overflow or lose bits.',
    Buffer.concat([Buffer.from('28b52ffdc038ffffffffffffffff', 'hex'), raw(content)]),
    'too_large',
  ),
  {
    ...compressed(
      'refuses one byte more than a configured limit',
      'A lower limit is a setting of the codec.',
      whole(),
      'too_large',
    ),
    codec: { maxDecompressedBytes: content.length - 1 },
  },
  compressed(
    'refuses one byte more than the default limit of 16 MiB',
    'The limit itself is the largest size that passes.',
    frame({ declared: 2 ** 24 + 1, blocks: zeros(2 ** 24 + 1) }),
    'too_large',
  ),
  compressed(
    'refuses a frame that contains more than it declares',
    'It declares 10 bytes and contains 1 MiB. The output must not exceed the declared size.',
    frame({ declared: 10, blocks: zeros(2 ** 20) }),
    'malformed',
  ),
  compressed(
    'refuses a frame that contains one byte more than it declares',
    'The content must have exactly the declared size.',
    whole({ declared: content.length - 1 }),
    'malformed',
  ),
  compressed(
    'refuses a frame that contains less than it declares',
    'The content must have exactly the declared size.',
    whole({ declared: content.length + 1 }),
    'malformed',
  ),
  compressed(
    'refuses a frame that declares no bytes and contains some',
    'Some libraries trust a declared size of 0.',
    frame({ declared: 0, blocks: raw(content) }),
    'malformed',
  ),
  compressed(
    'refuses a byte after a frame that declares no bytes',
    'The same libraries ignore the bytes that follow.',
    Buffer.concat([frame({ declared: 0, blocks: raw(Buffer.alloc(0)) }), Buffer.of(0)]),
    'malformed',
  ),
  ...(
    [
      ['of more than 128 MiB', 0x89],
      ['of 4 GiB', 0xb0],
      ['of almost 4 TiB', 0xff],
    ] as const
  ).map(([size, window]) =>
    compressed(
      `refuses a window ${size}`,
      'Decompressors differ above 128 MiB, although the content is small.',
      whole({ window }),
      'malformed',
    ),
  ),
  compressed(
    'reports a declared size of 1 GiB rather than a window of more than 128 MiB',
    'The reader checks the size first.',
    whole({ declared: GiB, window: 0x89 }),
    'too_large',
  ),
  compressed(
    'refuses a block of more than 128 KiB',
    'RFC 8878 limits blocks. Some decompressors accept larger blocks if the whole content fits into their buffer.',
    withLastBytesRepeated(200 * 1024, 0x88),
    'malformed',
  ),
  compressed(
    'refuses a block that is larger than the window',
    'Window descriptor 0: 1 KiB.',
    withLastBytesRepeated(2_000, 0),
    'malformed',
  ),
  {
    ...compressed(
      'refuses content above the limit of the call',
      'The compressed and the decompressed bytes count.',
      whole(),
      'too_large',
    ),
    codec: { maxCallBytes: whole().length + content.length - 1 },
  },
  {
    ...compressed(
      'reports a byte after the frame rather than content above the limit of the call',
      'The reader checks the whole frame before it reserves memory.',
      Buffer.concat([whole(), Buffer.of(0)]),
      'malformed',
    ),
    codec: { maxCallBytes: whole().length + 1 },
  },
  compressed(
    'refuses a byte after the frame',
    'The frame must be the whole plaintext.',
    Buffer.concat([whole(), Buffer.of(0)]),
    'malformed',
  ),
  compressed(
    'refuses a second frame',
    'The plaintext must be one frame.',
    Buffer.concat([whole(), whole()]),
    'malformed',
  ),
  compressed(
    'refuses a skippable frame before the frame',
    'The plaintext must begin with the magic number of a content frame, although the zstd tool skips other frames.',
    Buffer.concat([Buffer.from('502a4d1804000000deadbeef', 'hex'), whole()]),
    'malformed',
  ),
  compressed('refuses a truncated frame', 'Its last byte is missing.', whole().subarray(0, -1), 'malformed'),
  compressed(
    'refuses a frame without blocks',
    'It has only a header.',
    whole({ blocks: Buffer.alloc(0) }),
    'malformed',
  ),
  compressed(
    'refuses a frame without a declared size',
    'Node’s asynchronous call writes such frames. The size would be known only after decompression.',
    frame({ declared: 'none', blocks: raw(content) }),
    'malformed',
  ),
  compressed(
    'refuses a frame that needs a dictionary',
    'The format has no dictionary.',
    whole({ descriptor: 0x01, dictionaryId: Buffer.of(7) }),
    'malformed',
  ),
  compressed(
    'reports a dictionary rather than a declared size of 1 GiB',
    'The reader checks the descriptor before the size.',
    whole({ declared: GiB, descriptor: 0x01, dictionaryId: Buffer.of(7) }),
    'malformed',
  ),
  compressed(
    'reports a declared size of 1 GiB rather than a byte after the frame',
    'The reader checks the size before the blocks and what follows them.',
    Buffer.concat([whole({ declared: GiB }), Buffer.of(0)]),
    'too_large',
  ),
  compressed(
    'refuses the dictionary id 0',
    'A frame with this field needs a dictionary.',
    whole({ descriptor: 0x01, dictionaryId: Buffer.of(0) }),
    'malformed',
  ),
  compressed(
    'refuses the reserved bit of the descriptor',
    'RFC 8878 requires this of a decoder.',
    whole({ descriptor: 0x08 }),
    'malformed',
  ),
  compressed(
    'refuses a reserved block type',
    'RFC 8878 defines type 3 as corrupt data.',
    whole({
      blocks: Buffer.concat([
        Buffer.of(((content.length << 3) & 0xff) | 0x07, content.length >> 5, 0),
        content,
      ]),
    }),
    'malformed',
  ),
  compressed(
    'refuses a wrong checksum of the content',
    'If the frame has a checksum (bit 2 of the descriptor), the reader checks it.',
    Buffer.concat([whole({ descriptor: 0x04 }), Buffer.from('00000000', 'hex')]),
    'malformed',
  ),
  compressed(
    'refuses plaintext that is not compressed',
    'The flag is set, and the magic number is missing.',
    content,
    'malformed',
  ),
  compressed('refuses a frame of no bytes', 'The magic number is missing.', Buffer.alloc(0), 'malformed'),
  compressed(
    'refuses content that is not a payload',
    'The decompressed content must be a payload.',
    frame({ declared: 3, blocks: raw(Buffer.from('0aff01', 'hex')) }),
    'malformed',
  ),
];

export const compression: VectorFile = {
  about: 'binary/envelope-kms-v2 with bit 1 of the flags: zstd frames (RFC 8878), valid and hostile.',
  vectors: [...opens, ...traps],
};

/** Creates a frame of a payload that ends with a run of one byte, in one block. */
function withLastBytesRepeated(times: number, window: number): Buffer {
  const plaintext = serialized(payload({ encoding: 'binary/plain' }, 'b'.repeat(times)));
  const blocks = Buffer.concat([raw(plaintext.subarray(0, -times), false), repeated(0x62, times)]);
  return frame({ declared: plaintext.length, blocks, window });
}

function longer(): Payload {
  return json({ note: 'b'.repeat(400) });
}
