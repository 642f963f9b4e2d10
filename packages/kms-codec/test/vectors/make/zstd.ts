/*
 * Frames of RFC 8878, section 3.1.1, put together by hand: raw and run-length blocks need no compressor, so the traps
 * are exactly what their names say.
 */

const MAGIC = Buffer.from('28b52ffd', 'hex');
const BLOCK_MAX = 128 * 1024;

export interface Frame {
  /** Content size that the frame declares; `none` leaves the field away. */
  readonly declared: number | 'none';
  readonly blocks: Uint8Array;
  /** Bits of the frame header descriptor beside those for the content size. */
  readonly descriptor?: number;
  readonly dictionaryId?: Uint8Array;
}

/** A frame with an 8-byte content size and no single segment, unless there is no size: then a 1 KiB window. */
export function frame({ declared, blocks, descriptor = 0, dictionaryId = Buffer.alloc(0) }: Frame): Buffer {
  const size = Buffer.alloc(declared === 'none' ? 0 : 8);
  if (declared !== 'none') size.writeBigUInt64LE(BigInt(declared));
  const sizeFlag = declared === 'none' ? 0 : 0b1100_0000;
  // Window descriptor 0x38: exponent 7, 128 KiB, the most that a block may hold.
  return Buffer.concat([MAGIC, Buffer.of(sizeFlag | descriptor, 0x38), dictionaryId, size, blocks]);
}

const blockHeader = (last: boolean, type: number, size: number): Buffer => {
  const bytes = Buffer.alloc(3);
  bytes.writeUIntLE((size << 3) | (type << 1) | (last ? 1 : 0), 0, 3);
  return bytes;
};

/** One raw block: the content as it is. */
export const raw = (content: Uint8Array, last = true): Buffer =>
  Buffer.concat([blockHeader(last, 0, content.length), content]);

/** Run-length blocks of 128 KiB each: four bytes that stand for 131,072. */
export const zeros = (bytes: number): Buffer => {
  const count = Math.ceil(bytes / BLOCK_MAX);
  return Buffer.concat(
    Array.from({ length: count }, (_, index) => {
      const size = Math.min(BLOCK_MAX, bytes - index * BLOCK_MAX);
      return Buffer.concat([blockHeader(index === count - 1, 1, size), Buffer.of(0)]);
    }),
  );
};
