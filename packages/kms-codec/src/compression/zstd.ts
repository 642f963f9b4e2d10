import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { PlaintextBudget } from '../call-options.ts';
import { KmsCodecError, type ReasonCode } from '../errors.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';

/**
 * Minimum size of a payload to compress, in bytes. Smaller payloads shrink too little to justify what their
 * compressed size reveals about the content.
 */
const MIN_BYTES = 1024;

/**
 * Checks that this version of Node has zstd.
 * @throws KmsCodecError with `code` if Node is older than 22.15, or is a version from 23.0 to 23.7
 */
export function requireZstd(code: ReasonCode): void {
  if (typeof zlib.zstdDecompressSync === 'function') return;
  throw new KmsCodecError(
    code,
    `zstd compression is not available in Node ${process.versions.node}: run Node 22.15 or later`,
  );
}

/**
 * Compresses a plaintext into one zstd frame that declares its content size.
 * @param pieces the plaintext, in pieces
 * @param limit the maximum number of bytes of plaintext that a reader accepts
 * @returns undefined if the plaintext is too small or too large, or if compression does not shrink it
 */
export function compress(pieces: readonly Uint8Array[], limit: number): Uint8Array | undefined {
  const plaintext = Buffer.concat(pieces);
  try {
    if (plaintext.length < MIN_BYTES || plaintext.length > limit) return undefined;
    // Only the synchronous function writes the content size into the frame.
    const frame = zlib.zstdCompressSync(plaintext);
    return frame.length < plaintext.length ? frame : undefined;
  } finally {
    plaintext.fill(0);
  }
}

/**
 * Decompresses one zstd frame that declares its content size.
 * @param limit the maximum size of the content, in bytes
 * @param budget the budget from which this function reserves the declared size before it allocates memory
 * @throws KmsCodecError `too_large` if the frame declares more than the limit or the budget allows;
 *   `malformed` if the bytes are not exactly one frame, or its content does not have the declared size
 */
export function decompressZstd(
  bytes: Uint8Array,
  limit: number,
  budget: PlaintextBudget,
): MaybePromise<Uint8Array> {
  const { contentSize, length } = parseZstdFrame(bytes, limit);
  if (length !== bytes.length) throw malformed('is followed by other bytes');
  return andThen(budget.reserve(contentSize), () => inflate(bytes, contentSize));
}

/** The size of the chunks in which Node decompresses, in bytes. */
const NODE_CHUNK = 16 * 1024;

/**
 * Maximum size of content to decompress in the main thread. Larger content is decompressed in libuv's thread
 * pool, because 12 MB would block the event loop for 10 ms.
 */
const MAX_SYNC_BYTES = 256 * 1024;

function inflate(bytes: Uint8Array, contentSize: number): MaybePromise<Uint8Array> {
  requireZstd('layer_unreadable');
  const options = {
    maxOutputLength: Math.max(contentSize, 1),
    // Decompresses into one chunk, because Node would otherwise concatenate chunks, which takes twice the
    // memory and fragments it.
    ...(contentSize > NODE_CHUNK && { chunkSize: contentSize + 1 }),
  };
  const checked = (content: Uint8Array): Uint8Array => {
    if (content.length === contentSize) return content;
    return failed();
  };
  if (contentSize > MAX_SYNC_BYTES)
    return promisify(zlib.zstdDecompress)(bytes, options).catch(failed).then(checked);
  let content: Uint8Array;
  try {
    content = zlib.zstdDecompressSync(bytes, options);
  } catch {
    return failed();
  }
  return checked(content);
}

/** Throws the same error for every zlib error, because each of them means that the frame is malformed. */
function failed(): never {
  throw malformed('does not have the content that it declares');
}

/** The sizes that a zstd frame declares (RFC 8878, section 3.1.1). */
export interface ZstdFrame {
  /** Number of bytes of the decompressed content. */
  readonly contentSize: number;
  /** Number of bytes of the whole frame, from its magic number to its last block or checksum. */
  readonly length: number;
}

/** Maximum size of the content of one block (section 3.1.1.2.4). */
const MAX_BLOCK_BYTES = 128 * 1024;
/** Maximum size of a frame's window. Decompressors differ in whether they accept larger windows. */
const MAX_WINDOW_BYTES = 128 * 2 ** 20;
const RESERVED_BLOCK = 3;

/**
 * Determines the sizes of the frame at the start of `bytes`, without decompressing it.
 * @param limit the maximum size of the content, in bytes
 * @throws KmsCodecError `too_large` if the frame declares more content than the limit, even if the rest is
 *   malformed; `malformed` if the bytes do not start with a whole frame that declares its content size and
 *   needs no dictionary
 */
export function parseZstdFrame(bytes: Uint8Array, limit: number): ZstdFrame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 6 || view.getUint32(0) !== 0x28b52ffd) throw malformed('has no magic number');
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  if ((descriptor & 0x03) !== 0) throw malformed('needs a dictionary');
  if ((descriptor & 0x08) !== 0) throw malformed('sets a reserved bit');
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  let at = 5 + (singleSegment ? 0 : 1);
  if (bytes.length < at + sizeBytes) throw malformed('is truncated');
  if (sizeBytes === 0) throw malformed('does not declare its content size');
  const contentSize = readContentSize(view, at, sizeBytes);
  if (contentSize > limit) {
    throw new KmsCodecError(
      'too_large',
      `The payload has ${contentSize} bytes after decompression; the limit is ${limit}`,
    );
  }
  const window = singleSegment ? contentSize : windowSize(view.getUint8(5));
  if (!singleSegment && window > MAX_WINDOW_BYTES) throw malformed('has a window of more than 128 MiB');
  const maxBlock = Math.min(window, MAX_BLOCK_BYTES);
  at += sizeBytes;
  for (let last = false; !last;) {
    if (bytes.length < at + 3) throw malformed('is truncated');
    const block = view.getUint8(at) | (view.getUint8(at + 1) << 8) | (view.getUint8(at + 2) << 16);
    last = (block & 1) !== 0;
    const kind = (block >> 1) & 3;
    const size = block >> 3;
    if (kind === RESERVED_BLOCK || size > maxBlock)
      throw malformed('has a block that is too large or unknown');
    at += 3 + (kind === 1 ? 1 : size);
  }
  if (descriptor & 0x04) at += 4;
  if (bytes.length < at) throw malformed('is truncated');
  return { contentSize, length: at };
}

/** Returns the window size, in bytes (RFC 8878, section 3.1.1.1.2). */
function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function readContentSize(view: DataView, at: number, bytes: number): number {
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true) + 256;
  if (bytes === 4) return view.getUint32(at, true);
  return Number(view.getBigUint64(at, true));
}

const malformed = (what: string) => new KmsCodecError('malformed', `The zstd frame ${what}`);
