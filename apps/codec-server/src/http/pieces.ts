const PIECE = 256 * 1024;

/**
 * Bytes as they are written, a piece at a time. Node tells of a write only when the socket has taken the whole of it:
 * a reader that takes one of many MiB slowly couldn't be told from one that takes nothing, see `cutSlowReaders`.
 */
export function* piecesOf(bytes: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>, void> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}
