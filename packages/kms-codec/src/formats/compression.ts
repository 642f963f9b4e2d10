import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { PlaintextBudget } from '../call-options.ts';
import { KmsCodecError } from '../errors.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import { parseZstdFrame, type ZstdFrame } from '../wire/zstd-frame.ts';

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
 * Decompresses one zstd frame that declares its content size.
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
  const frame = parseWholeFrame(plaintext, limit);
  if (frame.contentSize === undefined) {
    throw new KmsCodecError('malformed', 'The compressed plaintext declares no content size');
  }
  return andThen(budget.reserve(frame.contentSize), () => inflate(plaintext, frame, limit));
}

/**
 * The same for a frame of another writer, which may leave its content size away: then its blocks bound it.
 * @throws `too_large` as well where such a frame wants a window above the limit, which a decompressor would allocate
 */
export function decompressZstd(
  bytes: Uint8Array,
  limit: number,
  budget: PlaintextBudget,
): MaybePromise<Uint8Array> {
  // What klauspost/compress, the proxy's library, makes of nothing.
  if (bytes.length === 0) return bytes;
  const frame = parseWholeFrame(bytes, limit);
  if (frame.contentSize === undefined && frame.window > limit) throw tooLarge(limit);
  return andThen(budget.reserve(mostBytes(frame, limit)), () => inflate(bytes, frame, limit));
}

function parseWholeFrame(bytes: Uint8Array, limit: number): ZstdFrame {
  const frame = parseZstdFrame(bytes, limit);
  if (frame.length !== bytes.length) throw new KmsCodecError('malformed', 'Bytes follow the zstd frame');
  return frame;
}

const mostBytes = ({ contentSize, inBlocks }: ZstdFrame, limit: number): number =>
  contentSize ?? Math.min(inBlocks, limit);

/** Bytes of Node's own pieces. */
const CHUNK = 16 * 1024;

function inflate(bytes: Uint8Array, frame: ZstdFrame, limit: number): Uint8Array {
  const { contentSize, inBlocks } = frame;
  try {
    const content = zstdDecompressSync(bytes, {
      maxOutputLength: Math.max(mostBytes(frame, limit), 1),
      // In one piece: otherwise Node puts pieces of 16 KiB together, which takes twice the memory and fragments it.
      ...(contentSize !== undefined && contentSize > CHUNK && { chunkSize: contentSize + 1 }),
    });
    if (contentSize === undefined || content.length === contentSize) return content;
  } catch (error) {
    // What else zlib says of it doesn't matter.
    const isFull = error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    if (isFull && contentSize === undefined && inBlocks > limit) throw tooLarge(limit);
  }
  throw new KmsCodecError('malformed', "The zstd frame doesn't hold what it declares");
}

const tooLarge = (limit: number) =>
  new KmsCodecError('too_large', `More than ${limit} bytes once decompressed`);
