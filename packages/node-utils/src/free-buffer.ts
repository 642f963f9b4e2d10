/**
 * Frees the buffer of bytes that nothing uses any more, if no other bytes share it. V8 collects buffers only
 * after tens of MiB, because they are outside its heap. Does nothing before Node 22.
 */
export function freeBuffer({ buffer, byteLength }: Uint8Array): void {
  if (buffer.byteLength === byteLength) freeShared(buffer);
}

/**
 * Frees a buffer, and detaches all bytes that share it. No call may be in progress that reads the buffer in
 * another thread, such as zlib's.
 */
export function freeShared(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer && 'transfer' in buffer && !buffer.detached) buffer.transfer(0);
}
