/*
 * Zstd frames that are written by hand (RFC 8878, section 3.1.1). Raw and run-length blocks need no
 * compressor, so each frame contains only the fault that its name states.
 */

const MAGIC = Buffer.from('28b52ffd', 'hex');
const BLOCK_MAX = 128 * 1024;

/** Creates a frame with an 8-byte content size and a window of 128 KiB, which is the maximum block size. */
export function frame({ declared, blocks }: { declared: number; blocks: Uint8Array }): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(declared));
  return Buffer.concat([MAGIC, Buffer.of(0b1100_0000, 0x38), size, blocks]);
}

const blockHeader = (last: boolean, type: number, size: number): Buffer => {
  const bytes = Buffer.alloc(3);
  bytes.writeUIntLE((size << 3) | (type << 1) | (last ? 1 : 0), 0, 3);
  return bytes;
};

/** Creates a raw block with the content. The block is marked as the last block of its frame. */
export const raw = (content: Uint8Array): Buffer =>
  Buffer.concat([blockHeader(true, 0, content.length), content]);

/** Creates run-length blocks of zeros. The four bytes of a block represent at most 131,072 bytes. */
export const zeros = (bytes: number): Buffer => {
  const count = Math.ceil(bytes / BLOCK_MAX);
  return Buffer.concat(
    Array.from({ length: count }, (_, index) => {
      const size = Math.min(BLOCK_MAX, bytes - index * BLOCK_MAX);
      return Buffer.concat([blockHeader(index === count - 1, 1, size), Buffer.of(0)]);
    }),
  );
};
