import type { ReasonCode } from '../../../src/errors.ts';
import type { Payload } from '../../../src/formats/payload.ts';
import { json, serialized } from '../make/bytes.ts';
import { caseV2 } from '../make/v2.ts';
import type { VectorFile } from '../make/vector.ts';
import { type Frame, frame, raw, zeros } from '../make/zstd.ts';

/* Bit 1 of the flags: the plaintext is one zstd frame. The holder of a data key can encrypt any of these. */

const GiB = 2 ** 30;
const inner = json({ note: 'a'.repeat(200) });
const content = serialized(inner);

const compressed = (
  name: string,
  why: string,
  plaintext: Uint8Array,
  code?: ReasonCode,
  payload: Payload = inner,
) => caseV2({ name, why, header: { compressed: true }, plaintext, inner: payload, ...(code && { code }) });

const whole = (change: Partial<Frame> = {}) =>
  frame({ declared: content.length, blocks: raw(content), ...change });

/** The plaintext `content`, as the command line tool of zstd 1.5.4 compressed it: `zstd -19 --content-size --check`. */
const fromZstd = Buffer.from(
  '28b52ffd24ee7d010074020a160a08656e636f64696e67120a6a736f6e2f706c61696e12d3017b226e6f7465223a2261227d01002552e00999608850',
  'hex',
);

const opens = [
  compressed(
    'opens a compressed message',
    'A raw block: no compressor is needed to make or read it.',
    whole(),
  ),
  compressed(
    'opens what zstd itself compressed',
    'With a checksum of the content behind its last block.',
    fromZstd,
  ),
  compressed(
    'opens a frame of several blocks',
    'The last block alone has the last bit.',
    whole({ blocks: Buffer.concat([raw(content.subarray(0, 100), false), raw(content.subarray(100))]) }),
  ),
  compressed(
    'opens a frame that ends in an empty block',
    'An empty last block is what a streaming compressor ends with.',
    whole({ blocks: Buffer.concat([raw(content, false), raw(Buffer.alloc(0))]) }),
  ),
  compressed(
    'opens a frame that is a single segment with a one-byte size',
    'Descriptor 0x20: no window, the content size in one byte.',
    Buffer.concat([Buffer.from('28b52ffd20', 'hex'), Buffer.of(content.length), raw(content)]),
  ),
  compressed(
    'opens a frame with a two-byte size',
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
      'opens what has exactly the limit’s size',
      'The limit is the largest size that passes.',
      whole(),
    ),
    codec: { maxDecompressedBytes: content.length },
  },
  compressed(
    'opens a compressed empty payload',
    'Declared size 0.',
    frame({ declared: 0, blocks: raw(Buffer.alloc(0)) }),
    undefined,
    {},
  ),
];

const traps = [
  compressed(
    'refuses a frame of 32 KiB that holds 1 GiB, by the size that it declares',
    'Run-length blocks: four bytes stand for 128 KiB. Nothing may be allocated for it.',
    frame({ declared: GiB, blocks: zeros(GiB) }),
    'too_large',
  ),
  compressed(
    'refuses a declared size of 1 GiB in front of a few bytes',
    'The declared size alone decides, before blocks are looked at.',
    frame({ declared: GiB, blocks: raw(content) }),
    'too_large',
  ),
  compressed(
    'a declared size of 1 GiB is told before a cut',
    'The size stands in the frame’s header.',
    frame({ declared: GiB, blocks: Buffer.alloc(0) }),
    'too_large',
  ),
  compressed(
    'refuses a declared size of 2^64 - 1',
    'Eight bytes, unsigned; it must not wrap round or lose bits.',
    Buffer.concat([Buffer.from('28b52ffdc038ffffffffffffffff', 'hex'), raw(content)]),
    'too_large',
  ),
  {
    ...compressed(
      'refuses one byte more than a configured limit',
      'The limit may be lowered.',
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
    'refuses a frame that holds more than it declares',
    'Declares 10 bytes and holds 1 MiB: the output may not grow beyond what was declared.',
    frame({ declared: 10, blocks: zeros(2 ** 20) }),
    'malformed',
  ),
  compressed(
    'refuses a frame that holds one byte more than it declares',
    'Exactly the declared size.',
    whole({ declared: content.length - 1 }),
    'malformed',
  ),
  compressed(
    'refuses a frame that holds less than it declares',
    'Exactly the declared size.',
    whole({ declared: content.length + 1 }),
    'malformed',
  ),
  compressed(
    'refuses a frame that declares nothing and holds something',
    'Some libraries take a declared size of 0 on trust.',
    frame({ declared: 0, blocks: raw(content) }),
    'malformed',
  ),
  compressed(
    'refuses a byte behind a frame that declares nothing',
    'The same libraries don’t look at what follows.',
    Buffer.concat([frame({ declared: 0, blocks: raw(Buffer.alloc(0)) }), Buffer.of(0)]),
    'malformed',
  ),
  compressed(
    'refuses a byte behind the frame',
    'No byte after the frame.',
    Buffer.concat([whole(), Buffer.of(0)]),
    'malformed',
  ),
  compressed('refuses a second frame', 'One frame.', Buffer.concat([whole(), whole()]), 'malformed'),
  compressed(
    'refuses a skippable frame in front',
    'The magic number of a content frame is wanted, though zstd’s own tools skip others.',
    Buffer.concat([Buffer.from('502a4d1804000000deadbeef', 'hex'), whole()]),
    'malformed',
  ),
  compressed(
    'refuses a frame that is cut off',
    'Its last byte is missing.',
    whole().subarray(0, -1),
    'malformed',
  ),
  compressed(
    'refuses a frame without blocks',
    'A header alone.',
    whole({ blocks: Buffer.alloc(0) }),
    'malformed',
  ),
  compressed(
    'refuses a frame without a declared size',
    'What Node’s asynchronous call writes: its limit would be known only afterwards.',
    frame({ declared: 'none', blocks: raw(content) }),
    'malformed',
  ),
  compressed(
    'refuses a frame that wants a dictionary',
    'There is none to agree on.',
    whole({ descriptor: 0x01, dictionaryId: Buffer.of(7) }),
    'malformed',
  ),
  compressed(
    'refuses a dictionary id of 0 as well',
    'The field is there, so a dictionary is meant.',
    whole({ descriptor: 0x01, dictionaryId: Buffer.of(0) }),
    'malformed',
  ),
  compressed(
    'refuses the reserved bit of the descriptor',
    'RFC 8878 says that a decoder must.',
    whole({ descriptor: 0x08 }),
    'malformed',
  ),
  compressed(
    'refuses a reserved block type',
    'Type 3 is corruption.',
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
    'The frame’s own checksum (descriptor bit 2) counts where it is there.',
    Buffer.concat([whole({ descriptor: 0x04 }), Buffer.from('00000000', 'hex')]),
    'malformed',
  ),
  compressed(
    'refuses plaintext that isn’t compressed',
    'The flag says so and the magic number isn’t there.',
    content,
    'malformed',
  ),
  compressed(
    'refuses an empty frame of no bytes',
    'Nothing has no magic number.',
    Buffer.alloc(0),
    'malformed',
  ),
  compressed(
    'refuses what decompresses to something that isn’t a payload',
    'After the frame the plaintext has to be one.',
    frame({ declared: 3, blocks: raw(Buffer.from('0aff01', 'hex')) }),
    'malformed',
  ),
];

export const compression: VectorFile = {
  about:
    'binary/envelope-kms-v2 with bit 1 of the flags: zstd frames (RFC 8878) that open and traps that do not.',
  vectors: [...opens, ...traps],
};

function longer(): Payload {
  return json({ note: 'b'.repeat(400) });
}
