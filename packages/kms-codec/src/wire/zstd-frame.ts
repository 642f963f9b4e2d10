import { KmsCodecError } from '../errors.ts';

/** What a zstd frame says of itself (RFC 8878, section 3.1.1). */
export interface ZstdFrame {
  /** Bytes of the decompressed content. */
  readonly contentSize: number;
  /** Bytes of the whole frame, from its magic number to its last block or checksum. */
  readonly length: number;
}

/**
 * Measures the one frame at the start of `bytes` without decompressing it, so that a declared size can be refused
 * before anything is allocated and trailing bytes are noticed.
 * @param limit most bytes of content
 * @throws `too_large` when more is declared, whatever follows; `malformed` when this isn't one whole frame with a
 * declared content size and no dictionary
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
  if (sizeBytes === 0) throw malformed('declares no content size');
  let at = 5 + (singleSegment ? 0 : 1);
  if (bytes.length < at + sizeBytes) throw malformed('is cut off');
  const contentSize = readContentSize(view, at, sizeBytes);
  if (contentSize > limit) {
    throw new KmsCodecError('too_large', `${contentSize} bytes once decompressed; the limit is ${limit}`);
  }
  at += sizeBytes;
  for (let last = false; !last;) {
    if (bytes.length < at + 3) throw malformed('is cut off');
    const block = view.getUint8(at) | (view.getUint8(at + 1) << 8) | (view.getUint8(at + 2) << 16);
    last = (block & 1) !== 0;
    const isRunLength = ((block >> 1) & 3) === 1;
    at += 3 + (isRunLength ? 1 : block >> 3);
  }
  if (descriptor & 0x04) at += 4;
  if (bytes.length < at) throw malformed('is cut off');
  return { contentSize, length: at };
}

function readContentSize(view: DataView, at: number, bytes: number): number {
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true) + 256;
  if (bytes === 4) return view.getUint32(at, true);
  return Number(view.getBigUint64(at, true));
}

const malformed = (what: string) => new KmsCodecError('malformed', `The compressed plaintext ${what}`);
