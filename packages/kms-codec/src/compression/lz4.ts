import { KmsCodecError } from '../errors.ts';
import { copyLiterals, copyMatch } from './lz77.ts';

/*
 * Reads one LZ4 frame (doc/lz4_Frame_format.md and lz4_Block_format.md of lz4/lz4). A writer may omit the content size, so
 * a reader must measure before it allocates. No maintained JavaScript library measures or accepts a limit.
 */

const MAGIC = 0x184d2204;
const STORED = 0x8000_0000;
const MIN_MATCH = 4;
/** A match has an offset of two bytes, and a sequence of five literals must follow it, since a block ends with those. */
const AFTER_LITERALS = 2 + 1 + 5;
/** A block of the maximum size ends with five literals and starts no match in its last twelve bytes. */
const LAST_LITERALS = 5;
const LAST_MATCH = 12;

interface Frame {
  readonly bytes: Uint8Array;
  /** A view of all bytes: with millions of empty blocks, a view for each block would cost more than the block. */
  readonly view: DataView;
  readonly blocksAt: number;
  readonly maxBlockBytes: number;
  /** Matches do not refer to earlier blocks. */
  readonly independent: boolean;
  readonly blockChecksums: boolean;
  readonly contentChecksum: boolean;
  readonly declaredSize: number | undefined;
}

/**
 * Returns the size of a frame's content without decompressing it.
 * @param limit on the content, in bytes
 * @throws KmsCodecError `too_large` above the limit; `malformed` when this is not one whole frame without a dictionary
 */
export function measureLz4Frame(bytes: Uint8Array, limit: number): number {
  const frame = parseDescriptor(bytes);
  const tooLarge = (size: number) =>
    new KmsCodecError(
      'too_large',
      `The payload has at least ${size} bytes after decompression; the limit is ${limit}`,
    );
  if (frame.declaredSize !== undefined && frame.declaredSize > limit) throw tooLarge(frame.declaredSize);
  let size = 0;
  readBlocks(frame, (at, end, isStored) => {
    size = isStored ? size + end - at : readSequences(frame, at, end, size, undefined);
    if (size > limit) throw tooLarge(size);
  });
  if (frame.declaredSize !== undefined && frame.declaredSize !== size)
    throw malformed('does not have the content that it declares');
  return size;
}

/**
 * Decompresses a frame.
 * @param size the result of {@link measureLz4Frame}
 * @throws KmsCodecError `malformed` when a checksum differs
 */
export function decompressLz4(bytes: Uint8Array, size: number): Uint8Array {
  const frame = parseDescriptor(bytes);
  const out = Buffer.allocUnsafe(size);
  let to = 0;
  const end = readBlocks(frame, (at, endOfBlock, isStored) => {
    if (isStored) {
      copyLiterals(out, to, bytes, at, endOfBlock - at);
      to += endOfBlock - at;
    } else {
      to = readSequences(frame, at, endOfBlock, to, out);
    }
    if (
      frame.blockChecksums &&
      readUint32(frame.view, endOfBlock) !== xxHash32(bytes.subarray(at, endOfBlock))
    )
      throw malformed('has a block whose checksum differs');
  });
  if (frame.contentChecksum && readUint32(frame.view, end) !== xxHash32(out))
    throw malformed('has content whose checksum differs');
  return out;
}

function parseDescriptor(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 7 || readUint32(view, 0) !== MAGIC) throw malformed('has no magic number');
  const [flags = 0, block = 0] = bytes.subarray(4, 6);
  const blockSize = block >> 4;
  if (flags >> 6 !== 1 || flags & 0b10 || block & 0b1000_1111 || blockSize < 4)
    throw malformed('has a descriptor that is not of version 1');
  if (flags & 0b01) throw malformed('needs a dictionary');
  const hasSize = (flags & 0b1000) !== 0;
  const checksumAt = hasSize ? 14 : 6;
  if (bytes.length <= checksumAt) throw malformed('is truncated');
  if (((xxHash32(bytes.subarray(4, checksumAt)) >>> 8) & 0xff) !== bytes[checksumAt])
    throw malformed('has a descriptor whose checksum differs');
  return {
    bytes,
    view,
    blocksAt: checksumAt + 1,
    maxBlockBytes: 2 ** (8 + 2 * blockSize),
    independent: (flags & 0b10_0000) !== 0,
    blockChecksums: (flags & 0b1_0000) !== 0,
    contentChecksum: (flags & 0b100) !== 0,
    declaredSize: hasSize ? readUint32(view, 6) + readUint32(view, 10) * 2 ** 32 : undefined,
  };
}

/** Calls `use` for each block. Returns the index of the content's checksum, or the end of the frame. */
function readBlocks(frame: Frame, use: (at: number, end: number, isStored: boolean) => void): number {
  const { bytes, view, blockChecksums, contentChecksum, maxBlockBytes } = frame;
  let at = frame.blocksAt;
  for (;;) {
    const header = readUint32(view, at);
    at += 4;
    if (header === 0) break;
    const isStored = header >= STORED;
    const end = at + (isStored ? header - STORED : header);
    if (end - at > maxBlockBytes) throw malformed('has a block that is larger than it declares');
    if (end + (blockChecksums ? 4 : 0) > bytes.length) throw malformed('is truncated');
    use(at, end, isStored);
    at = end + (blockChecksums ? 4 : 0);
  }
  const end = at + (contentChecksum ? 4 : 0);
  if (end > bytes.length) throw malformed('is truncated');
  if (end < bytes.length) throw malformed('is followed by other bytes');
  return at;
}

/**
 * Reads the sequences of one compressed block: literals, then a match with what came before.
 * @param start bytes of content before this block
 * @param out absent: only measures
 * @returns bytes of content after this block
 */
function readSequences(
  { bytes, independent, maxBlockBytes }: Frame,
  from: number,
  end: number,
  start: number,
  out: Uint8Array | undefined,
): number {
  const floor = independent ? start : 0;
  const most = start + maxBlockBytes;
  let at = from;
  let to = start;
  /** Another byte follows each byte of 255. */
  const readLength = (nibble: number): number => {
    let length = nibble;
    if (nibble < 15) return length;
    for (let byte = 255; byte === 255; at += 1) {
      if (at >= end) throw malformed('is truncated');
      byte = bytes[at] ?? 0;
      length += byte;
    }
    return length;
  };
  while (at < end) {
    const token = bytes[at] ?? 0;
    at += 1;
    const literals = readLength(token >> 4);
    if (at + literals > end || to + literals > most) throw malformed('has literals that are too long');
    if (out) copyLiterals(out, to, bytes, at, literals);
    at += literals;
    to += literals;
    if (at === end) return to;
    if (end - at < AFTER_LITERALS || to > most - LAST_MATCH)
      throw malformed('has a block that ends with a match');
    const offset = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    at += 2;
    const length = readLength(token & 15) + MIN_MATCH;
    if (offset === 0 || offset > to - floor) throw malformed('has a match out of range');
    if (to + length > most - LAST_LITERALS) throw malformed('has a match that is too long');
    if (out) copyMatch(out, to, offset, length);
    to += length;
  }
  throw malformed('has a block that ends with a match');
}

function readUint32(view: DataView, at: number): number {
  if (at + 4 > view.byteLength) throw malformed('is truncated');
  return view.getUint32(at, true);
}

const malformed = (what: string) => new KmsCodecError('malformed', `The LZ4 frame ${what}`);

// The primes of xxHash.
const PRIME1 = 0x9e3779b1;
const PRIME2 = 0x85ebca77;
const PRIME3 = 0xc2b2ae3d;
const PRIME4 = 0x27d4eb2f;
const PRIME5 = 0x165667b1;

const rotl = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits));
const round = (lane: number, input: number) =>
  Math.imul(rotl((lane + Math.imul(input, PRIME2)) | 0, 13), PRIME1);

/**
 * Returns the 32-bit xxHash of bytes with the seed 0, which LZ4 frames use as their checksum
 * (doc/xxhash_spec.md of Cyan4973/xxHash). It detects damage and authenticates nothing.
 */
function xxHash32(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { length } = bytes;
  let at = 0;
  let hash = PRIME5;
  if (length >= 16) {
    let [a, b, c, d] = [(PRIME1 + PRIME2) | 0, PRIME2, 0, -PRIME1 | 0];
    for (; at <= length - 16; at += 16) {
      a = round(a, view.getUint32(at, true));
      b = round(b, view.getUint32(at + 4, true));
      c = round(c, view.getUint32(at + 8, true));
      d = round(d, view.getUint32(at + 12, true));
    }
    hash = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18);
  }
  hash = (hash + length) | 0;
  for (; at <= length - 4; at += 4) {
    hash = Math.imul(rotl((hash + Math.imul(view.getUint32(at, true), PRIME3)) | 0, 17), PRIME4);
  }
  for (; at < length; at += 1) {
    hash = Math.imul(rotl((hash + Math.imul(view.getUint8(at), PRIME5)) | 0, 11), PRIME1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIME2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
