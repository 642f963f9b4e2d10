/*
 * Hand-made frames of RFC 8878, section 3.1.1. Raw and run-length blocks need no compressor, so each frame contains exactly
 * the fault that its name states.
 */

const MAGIC = Buffer.from('28b52ffd', 'hex');
const BLOCK_MAX = 128 * 1024;

export interface Frame {
  /** The declared content size; `none` omits the field. */
  readonly declared: number | 'none';
  readonly blocks: Uint8Array;
  /** Bits of the frame header descriptor in addition to those of the content size. */
  readonly descriptor?: number;
  readonly dictionaryId?: Uint8Array;
  /** The window descriptor. Default: 0x38, exponent 7, 128 KiB, the largest size of a block. */
  readonly window?: number;
}

/** Creates a frame with an 8-byte content size and without a single segment. */
export function frame(given: Frame): Buffer {
  const { declared, blocks, descriptor = 0, dictionaryId = Buffer.alloc(0), window = 0x38 } = given;
  const size = Buffer.alloc(declared === 'none' ? 0 : 8);
  if (declared !== 'none') size.writeBigUInt64LE(BigInt(declared));
  const sizeFlag = declared === 'none' ? 0 : 0b1100_0000;
  return Buffer.concat([MAGIC, Buffer.of(sizeFlag | descriptor, window), dictionaryId, size, blocks]);
}

const blockHeader = (last: boolean, type: number, size: number): Buffer => {
  const bytes = Buffer.alloc(3);
  bytes.writeUIntLE((size << 3) | (type << 1) | (last ? 1 : 0), 0, 3);
  return bytes;
};

/** Creates one raw block with the content. */
export const raw = (content: Uint8Array, last = true): Buffer =>
  Buffer.concat([blockHeader(last, 0, content.length), content]);

/** Creates one block that repeats a byte. */
export const repeated = (byte: number, times: number): Buffer =>
  Buffer.concat([blockHeader(true, 1, times), Buffer.of(byte)]);

/** Creates run-length blocks of 128 KiB: four bytes represent 131,072. */
export const zeros = (bytes: number): Buffer => {
  const count = Math.ceil(bytes / BLOCK_MAX);
  return Buffer.concat(
    Array.from({ length: count }, (_, index) => {
      const size = Math.min(BLOCK_MAX, bytes - index * BLOCK_MAX);
      return Buffer.concat([blockHeader(index === count - 1, 1, size), Buffer.of(0)]);
    }),
  );
};
