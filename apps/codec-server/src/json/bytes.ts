import type { Payload } from '@temporal-kms/histories/payloads';
import { base64Pieces, bufferOf, PIECE_BYTES } from '@temporal-kms/histories/bytes';
import { SLICE_BYTES, type Steps } from '../turns/slices.ts';

/**
 * How many characters are converted at a time. Node converts between bytes and base64 through strings. Short
 * strings stay in the processor's cache and out of V8's large-object space, which makes the conversion of 256
 * KiB four times as fast.
 */
const PIECE = 32 * 1024;

/**
 * Decodes standard or URL-safe base64, with or without padding. Detects invalid characters by the length of
 * the result, because Node skips them and returns fewer bytes than expected.
 * @param later if the text is large, receives the steps that fill the returned buffer; the steps return
 *   whether the text is base64
 * @returns undefined if the bytes from `start` to `end` are not base64
 */
export function decodeBase64(
  text: Buffer,
  start = 0,
  end = text.length,
  later?: Steps<boolean>[],
): Buffer | undefined {
  let last = end;
  while (last > start && text[last - 1] === 0x3d && end - last < 2) last -= 1;
  if ((last - start) % 4 === 1) return undefined;
  const bytes = Buffer.allocUnsafe(Math.floor(((last - start) * 3) / 4));
  if (later !== undefined && end - start > SLICE_BYTES) {
    later.push(decodeInSteps(text, start, end, bytes));
    return bytes;
  }
  let written = 0;
  for (let at = start; at < last; at += PIECE) written += decodePiece(text, at, end, bytes, written);
  return written === bytes.length ? bytes : undefined;
}

function* decodeInSteps(text: Buffer, start: number, end: number, bytes: Buffer): Steps<boolean> {
  let written = 0;
  for (let at = start; at < end; at += PIECE) {
    written += decodePiece(text, at, end, bytes, written);
    yield PIECE;
  }
  return written === bytes.length;
}

const decodePiece = (text: Buffer, at: number, end: number, bytes: Buffer, written: number): number =>
  bytes.write(text.toString('latin1', at, Math.min(at + PIECE, end)), written, 'base64');

/** Returns the number of characters that `writeBase64` writes. */
export const base64Length = (bytes: Uint8Array): number => 4 * Math.ceil(bytes.length / 3);

/**
 * Encodes bytes as base64 into a buffer, which must be large enough.
 * @returns the number of characters written
 */
export function writeBase64(bytes: Uint8Array, into: Buffer, offset: number): number {
  const source = bufferOf(bytes);
  for (let at = 0; at < source.length; at += (PIECE / 4) * 3) {
    into.write(source.toString('base64', at, at + (PIECE / 4) * 3), offset + (at / 3) * 4, 'latin1');
  }
  return base64Length(bytes);
}

/** A body of known length, which can be created as a whole, or in pieces while the response is sent. */
export interface BodyInPieces {
  readonly length: number;
  pieces(): Iterable<Uint8Array>;
  concat(): Uint8Array<ArrayBuffer>;
}

const deferred = new WeakMap<object, Uint8Array>();

/** Whether a payload's data is large enough that writing it in pieces saves memory. */
export const hasLargeData = (payload: Payload): payload is Payload & { readonly data: Uint8Array } =>
  (payload.data?.length ?? 0) > PIECE_BYTES;

interface Line {
  readonly payload: { readonly data: string };
}

/**
 * Returns a stream's line, whose `payload.data` stays empty until the line is written. A string of many
 * MiB, with its copies in JSON and in the socket, would take several times the memory of the bytes.
 */
export function withDeferredData<T extends Line>(line: T, data: Uint8Array): T {
  deferred.set(line, data);
  return line;
}

/** Yields a value as a line of JSON, in pieces. */
export function* jsonLine(value: unknown): Generator<string, void> {
  const data = typeof value === 'object' && value !== null ? deferred.get(value) : undefined;
  if (data === undefined) {
    yield `${JSON.stringify(value)}\n`;
    return;
  }
  yield* jsonWithData(value, data);
  yield '\n';
}

/** Yields a value as JSON, in pieces, with the bytes as base64 in the last `"data": ""` of the value. */
export function* jsonWithData(value: unknown, data: Uint8Array): Generator<string, void> {
  const text = JSON.stringify(value);
  // The last match is the payload's own `data`: quotation marks inside strings are escaped, and metadata
  // precedes data.
  const at = text.lastIndexOf(EMPTY) + EMPTY.length - 1;
  yield text.slice(0, at);
  yield* base64Pieces(data);
  yield text.slice(at);
}

const EMPTY = '"data":""';
