/** Returns the bytes as a Buffer over the same memory. protobufjs returns an empty array for an empty field. */
export const bufferOf = (bytes: Uint8Array): Buffer =>
  bytes.length === 0 ? nothing : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const nothing = Buffer.alloc(0);

/** Returns bytes as standard base64 with padding, as in proto3 JSON. */
export const encodeBase64 = (bytes: Uint8Array): string => bufferOf(bytes).toString('base64');

/** Bytes per piece of base64. A multiple of three, so that the pieces' base64 can be concatenated. */
export const PIECE_BYTES = 192 * 1024;

/** Yields base64 in pieces, so that the base64 of many MiB is never in memory as a whole. */
export function* base64Pieces(data: Uint8Array): Generator<string, void> {
  const bytes = bufferOf(data);
  for (let from = 0; from < bytes.length; from += PIECE_BYTES)
    yield bytes.toString('base64', from, from + PIECE_BYTES);
}

/** Yields UTF-8 bytes as text, in pieces. */
export function* utf8Pieces(bytes: Uint8Array): Generator<string, void> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  for (let from = 0; from < bytes.length; from += PIECE_BYTES)
    yield decoder.decode(bytes.subarray(from, from + PIECE_BYTES), { stream: true });
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** Returns the text of UTF-8 bytes, or undefined if the bytes are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}
