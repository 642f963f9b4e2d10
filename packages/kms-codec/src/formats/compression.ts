import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { KmsCodecError } from '../errors.ts';
import { parseZstdFrame } from '../wire/zstd-frame.ts';

/** Smaller payloads gain too little for what their sizes would give away. */
const COMPRESS_FROM_BYTES = 1024;

/** One zstd frame, or undefined where it saves nothing. */
export function compress(pieces: readonly Uint8Array[]): Uint8Array | undefined {
  const plaintext = Buffer.concat(pieces);
  try {
    if (plaintext.length < COMPRESS_FROM_BYTES) return undefined;
    // The synchronous call writes the content size into the frame; the asynchronous one doesn't.
    const frame = zstdCompressSync(plaintext);
    return frame.length < plaintext.length ? frame : undefined;
  } finally {
    plaintext.fill(0);
  }
}

/**
 * @param limit most bytes that may come out
 * @throws `too_large` before anything is allocated, when the frame declares more than the limit; `malformed` when it
 * isn't one whole frame that holds exactly what it declares
 */
export function decompress(plaintext: Uint8Array, limit: number): Uint8Array {
  const frame = parseZstdFrame(plaintext, limit);
  if (frame.length !== plaintext.length) {
    throw new KmsCodecError('malformed', 'Bytes follow the compressed plaintext');
  }
  try {
    const bytes = zstdDecompressSync(plaintext, { maxOutputLength: Math.max(frame.contentSize, 1) });
    if (bytes.length === frame.contentSize) return bytes;
  } catch {
    // Falls through: what zlib says of it doesn't matter.
  }
  throw new KmsCodecError('malformed', "The compressed plaintext doesn't hold what it declares");
}
