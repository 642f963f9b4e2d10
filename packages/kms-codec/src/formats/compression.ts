import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { PlaintextBudget } from '../call-options.ts';
import { KmsCodecError } from '../errors.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import { parseZstdFrame } from '../wire/zstd-frame.ts';

/** Smaller payloads gain too little for what their sizes would give away. */
const COMPRESS_FROM_BYTES = 1024;

/**
 * Compresses a plaintext into one zstd frame.
 * @param limit most bytes of plaintext: more would be refused when it is decoded
 * @returns undefined for a plaintext that is too small, too large, or does not become smaller
 */
export function compress(pieces: readonly Uint8Array[], limit: number): Uint8Array | undefined {
  const plaintext = Buffer.concat(pieces);
  try {
    if (plaintext.length < COMPRESS_FROM_BYTES || plaintext.length > limit) return undefined;
    // The synchronous call writes the content size into the frame; the asynchronous one doesn't.
    const frame = zstdCompressSync(plaintext);
    return frame.length < plaintext.length ? frame : undefined;
  } finally {
    plaintext.fill(0);
  }
}

/**
 * Decompresses one zstd frame.
 * @param limit most bytes that may come out
 * @param budget is asked for the declared size before anything is allocated
 * @throws `too_large` when the frame declares more than the limit or the budget allows; `malformed` when it isn't one
 * whole frame that holds exactly what it declares
 */
export function decompress(
  plaintext: Uint8Array,
  limit: number,
  budget: PlaintextBudget,
): MaybePromise<Uint8Array> {
  const frame = parseZstdFrame(plaintext, limit);
  if (frame.length !== plaintext.length) {
    throw new KmsCodecError('malformed', 'Bytes follow the compressed plaintext');
  }
  return andThen(budget.reserve(frame.contentSize), () => inflate(plaintext, frame.contentSize));
}

function inflate(plaintext: Uint8Array, contentSize: number): Uint8Array {
  try {
    const bytes = zstdDecompressSync(plaintext, { maxOutputLength: Math.max(contentSize, 1) });
    if (bytes.length === contentSize) return bytes;
  } catch {
    // Falls through: what zlib says of it doesn't matter.
  }
  throw new KmsCodecError('malformed', "The compressed plaintext doesn't hold what it declares");
}
