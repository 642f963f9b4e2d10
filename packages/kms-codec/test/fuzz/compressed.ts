import type { Random } from '@temporal-kms/testing/random';
import type { Payload } from '../../src/formats/payload.ts';
import { compressedBy } from '../support/proxy-compressed.ts';
import { payload } from '../vectors/make/bytes.ts';
import { marked } from '../vectors/make/layers.ts';
import { mutateBytes } from './mutate.ts';

/* Payloads with a compression marker, of which many are almost valid: libraries differ in what they accept. */

const letters = (length: number, random: Random) => Buffer.alloc(length, 0x61 + random.below(26));

/** Lengths of 15 or more continue in bytes, of which each but the last is 255. */
function longLength(length: number): number[] {
  if (length < 15) return [];
  const rest = length - 15;
  return [...Array.from({ length: Math.floor(rest / 255) }, () => 255), rest % 255];
}

/** An LZ4 block: literals and matches, then literals. */
function lz4Block(random: Random): Buffer {
  const parts: Buffer[] = [];
  let size = 0;
  for (let n = random.below(3); n > 0; n -= 1) {
    const literals = random.pick([0, 1, 8, 14, 15, 300]);
    const match = random.pick([0, 1, 14, 15, 300]);
    size += literals;
    const offset = random.oneIn(8) ? random.pick([0, size + 1]) : 1 + random.below(Math.max(1, size));
    parts.push(Buffer.of((Math.min(15, literals) << 4) | Math.min(15, match), ...longLength(literals)));
    parts.push(letters(literals, random), Buffer.of(offset & 0xff, offset >> 8, ...longLength(match)));
    size += match + 4;
  }
  const last = random.pick([0, 4, 5, 6, 12, 13, 15, 270]);
  parts.push(Buffer.of(Math.min(15, last) << 4, ...longLength(last)), letters(last, random));
  return Buffer.concat(parts);
}

/** Flags of LZ4 descriptors with blocks of at most 64 KiB, and their checksums. 0x68 and 0x48 have a content size, of 0. */
const descriptors = [
  [0x40, 0xc0],
  [0x60, 0x82],
  [0x68, 0x05],
] as const;

function lz4Frame(random: Random): Buffer {
  const [flags, checksum] = random.pick(descriptors);
  const head = [Buffer.from('04224d18', 'hex'), Buffer.of(flags, 0x40), Buffer.alloc(flags & 0x08 ? 8 : 0)];
  const blocks = Array.from({ length: random.below(3) }, () => {
    const isStored = random.oneIn(3);
    const block = isStored ? letters(random.below(20), random) : lz4Block(random);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(block.length + (isStored ? 0x8000_0000 : 0));
    return Buffer.concat([length, block]);
  });
  return Buffer.concat([...head, Buffer.of(checksum), ...blocks, Buffer.alloc(4)]);
}

/** A snappy block of a literal and copies, whose lengths and offsets may have more bytes than they need. */
function snappyBlock(random: Random): Buffer {
  const parts: Buffer[] = [];
  let size = 0;
  for (let n = 1 + random.below(3); n > 0; n -= 1) {
    const literal = letters(random.pick([1, 2, 60, 61, 200]), random);
    const width = random.oneIn(2) || literal.length > 60 ? random.pick([1, 2, 3, 4]) : 0;
    const length = Buffer.alloc(width);
    if (width > 0) length.writeUIntLE(literal.length - 1, 0, width);
    parts.push(Buffer.of((width > 0 ? 59 + width : literal.length - 1) << 2), length, literal);
    size += literal.length;
    if (random.oneIn(2)) continue;
    const offset = Buffer.alloc(random.pick([2, 4]));
    offset.writeUIntLE(
      random.oneIn(8) ? random.pick([0, size + 1]) : 1 + random.below(size),
      0,
      offset.length,
    );
    const copied = 1 + random.below(64);
    parts.push(Buffer.of(((copied - 1) << 2) | (offset.length === 2 ? 2 : 3)), offset);
    size += copied;
  }
  const declared = random.oneIn(12) ? random.pick([0, size + 1]) : size;
  return Buffer.concat([Buffer.of((declared & 0x7f) | 0x80, declared >> 7), ...parts]);
}

/** Returns a payload whose data is compressed, or almost. */
export function compressedPayload(random: Random): Payload {
  const algorithm = random.pick(['zstd', 'snappy', 'lz4', 'application/x-lz4'] as const);
  const data = {
    zstd: () => compressedBy('application/zstd', random.oneIn(2) ? 'short' : undefined),
    snappy: () => snappyBlock(random),
    lz4: () => lz4Frame(random),
    'application/x-lz4': () => compressedBy('application/x-lz4'),
  }[algorithm]();
  const given = random.oneIn(4) ? mutateBytes(Buffer.from(data), random) : data;
  return marked(payload({ encoding: 'binary/plain' }, ''), algorithm, given);
}
