/**
 * Frees the buffer behind bytes that are no longer used, unless the buffer also contains other bytes. Without
 * this function, V8 frees unused buffers only when their total size reaches tens of MiB, because buffers are
 * outside V8's heap. Does nothing in Node versions before 22.
 */
export function freeBuffer({ buffer, byteLength }: Uint8Array): void {
  if (buffer.byteLength === byteLength) freeShared(buffer);
}

/**
 * Frees a buffer, and detaches all bytes that share the buffer. Do not call this function while another
 * thread, for example in a zlib call, still reads the buffer.
 */
export function freeShared(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer && 'transfer' in buffer && !buffer.detached) buffer.transfer(0);
}
