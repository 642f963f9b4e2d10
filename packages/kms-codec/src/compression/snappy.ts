import { KmsCodecError } from '../errors.ts';
import { copyLiterals, copyMatch } from './lz77.ts';

/*
 * Reads the block format of Snappy (format_description.txt of google/snappy), which golang/snappy's Encode writes. The
 * maintained JavaScript libraries either accept blocks shorter than declared, or keep plaintext in a WebAssembly memory
 * that never shrinks.
 */

/** The largest expansion: a copy of three bytes produces 64. */
const MAX_EXPANSION = 64 / 3;

/**
 * Returns the size that a block declares, without decompressing it.
 * @param limit on the content, in bytes
 * @throws KmsCodecError `too_large` above the limit; `malformed` when the block cannot contain so much
 */
export function declaredSnappySize(block: Uint8Array, limit: number): number {
  const { size, length } = readPreamble(block);
  if (size > limit) {
    throw new KmsCodecError(
      'too_large',
      `The payload has ${size} bytes after decompression; the limit is ${limit}`,
    );
  }
  if (size > (block.length - length) * MAX_EXPANSION) throw malformed('declares more than it can contain');
  return size;
}

/**
 * Decompresses a block.
 * @param size the result of {@link declaredSnappySize}
 * @throws KmsCodecError `malformed` when the block does not contain exactly that
 */
export function decompressSnappy(block: Uint8Array, size: number): Uint8Array {
  const out = Buffer.allocUnsafe(size);
  let { length: at } = readPreamble(block);
  let to = 0;
  while (at < block.length) {
    const tag = block[at] ?? 0;
    const kind = tag & 3;
    at += 1;
    if (kind === 0) {
      let length = (tag >> 2) + 1;
      if (length > 60) {
        const bytes = length - 60;
        length = readLittleEndian(block, at, bytes) + 1;
        at += bytes;
      }
      if (at + length > block.length || to + length > size) throw malformed('has a literal that is too long');
      copyLiterals(out, to, block, at, length);
      at += length;
      to += length;
    } else {
      const bytes = kind === 3 ? 4 : kind;
      const low = readLittleEndian(block, at, bytes);
      const offset = kind === 1 ? ((tag >> 5) << 8) | low : low;
      const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
      at += bytes;
      if (offset === 0 || offset > to || to + length > size) throw malformed('has a copy out of range');
      copyMatch(out, to, offset, length);
      to += length;
    }
  }
  if (to !== size) throw malformed('does not have the content that it declares');
  return out;
}

/** Reads a variable-length integer below 2^32, with the low groups of seven bits first. */
function readPreamble(block: Uint8Array): { readonly size: number; readonly length: number } {
  let size = 0;
  for (let n = 0; n < 5; n += 1) {
    const byte = block[n];
    if (byte === undefined) throw malformed('is truncated');
    size += (byte & 0x7f) * 2 ** (7 * n);
    if (byte < 0x80) {
      if (size >= 2 ** 32) break;
      return { size, length: n + 1 };
    }
  }
  throw malformed('declares a size of more than 32 bits');
}

function readLittleEndian(block: Uint8Array, at: number, bytes: number): number {
  if (at + bytes > block.length) throw malformed('is truncated');
  let value = 0;
  for (let n = bytes - 1; n >= 0; n -= 1) value = value * 256 + (block[at + n] ?? 0);
  return value;
}

const malformed = (what: string) => new KmsCodecError('malformed', `The snappy block ${what}`);
