import CRC32C from 'crc-32/crc32c.js';

/** Returns the CRC-32C (Castagnoli) as Cloud KMS sends it: an unsigned 32-bit number. */
export const crc32c = (bytes: Uint8Array): number => CRC32C.buf(bytes) >>> 0;
