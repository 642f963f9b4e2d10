import { KmsCodecError } from '../errors.ts';

/** What a zstd frame says of itself (RFC 8878, section 3.1.1). */
export interface ZstdFrame {
  /** Bytes of the decompressed content; undefined where the frame declares none. */
  readonly contentSize: number | undefined;
  /** Bytes of the window that a decompressor keeps. */
  readonly window: number;
  /** The most bytes of content that the frame's blocks may hold. */
  readonly inBlocks: number;
  /** Bytes of the whole frame, from its magic number to its last block or checksum. */
  readonly length: number;
}

/** What one block may hold at most (section 3.1.1.2.4). */
const MAX_BLOCK_BYTES = 128 * 1024;

/**
 * Measures the one frame at the start of `bytes` without decompressing it, so that a size can be refused before
 * anything is allocated and trailing bytes are noticed.
 * @param limit most bytes of content
 * @throws `too_large` when more is declared, whatever follows; `malformed` when this isn't one whole frame without a
 * dictionary
 */
export function parseZstdFrame(bytes: Uint8Array, limit: number): ZstdFrame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 6 || view.getUint32(0) !== 0x28b52ffd) throw malformed('has no magic number');
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  if ((descriptor & 0x03) !== 0) throw malformed('wants a dictionary');
  if ((descriptor & 0x08) !== 0) throw malformed('sets a reserved bit');
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  let at = 5 + (singleSegment ? 0 : 1);
  if (bytes.length < at + sizeBytes) throw malformed('is cut off');
  const contentSize = sizeBytes === 0 ? undefined : readContentSize(view, at, sizeBytes);
  if (contentSize !== undefined && contentSize > limit) {
    throw new KmsCodecError('too_large', `${contentSize} bytes once decompressed; the limit is ${limit}`);
  }
  const window = singleSegment ? (contentSize ?? 0) : windowSize(view.getUint8(5));
  at += sizeBytes;
  let inBlocks = 0;
  for (let last = false; !last;) {
    if (bytes.length < at + 3) throw malformed('is cut off');
    const block = view.getUint8(at) | (view.getUint8(at + 1) << 8) | (view.getUint8(at + 2) << 16);
    last = (block & 1) !== 0;
    const kind = (block >> 1) & 3;
    at += 3 + (kind === 1 ? 1 : block >> 3);
    inBlocks += kind < 2 ? block >> 3 : MAX_BLOCK_BYTES;
  }
  if (descriptor & 0x04) at += 4;
  if (bytes.length < at) throw malformed('is cut off');
  return { contentSize, window, inBlocks, length: at };
}

/** Section 3.1.1.1.2. */
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
