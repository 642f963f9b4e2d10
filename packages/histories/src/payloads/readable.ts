import { exportMarks } from '@temporal-kms/codec-api';
import { base64Pieces, utf8Text } from './bytes.ts';
import { JsonScanner, unescaped } from '../json/json-scanner.ts';
import type { Payload } from './payload.ts';

/** A decoded payload's bytes and its `encoding`. */
export interface PayloadBody {
  readonly data: Uint8Array;
  readonly encoding: string;
}

export function bodyOf({ data, metadata }: Payload): PayloadBody {
  return { data: data ?? new Uint8Array(), encoding: Buffer.from(metadata?.['encoding'] ?? []).toString() };
}

const marks: ReadonlySet<string> = new Set(exportMarks);

/**
 * Returns a decoded payload as JSON text for people. A JSON body is returned unchanged, so that numbers
 * beyond the precision of a double keep their digits. Other text becomes `{"$text", "encoding"}`. Other
 * bytes, and text that consists mostly of control characters, become `{"$bytes", "encoding"}` in base64. An
 * object with one of `exportMarks` as a key becomes `{"$value": …}`.
 */
export const readableText = (body: PayloadBody): string => readableUnlessBytes(body) ?? readableBytes(body);

/** Like `readableText`, but returns undefined if `readableBytesInPieces` must write the payload. */
export function readableUnlessBytes({ data, encoding }: PayloadBody): string | undefined {
  if (encoding === 'binary/null') return 'null';
  const body = utf8Text(data);
  if (body === undefined || encoding === 'binary/protobuf') return undefined;
  if (encoding.startsWith('json/')) {
    const kind = kindOf(body);
    if (kind !== 'text') return kind === 'marked' ? `{"$value":${body}}` : body;
  }
  return growsInJson(body) ? undefined : JSON.stringify({ $text: body, encoding });
}

/**
 * Returns whether a JSON string would be more than twice as long as the text, because JSON writes most
 * control characters as six characters.
 */
function growsInJson(text: string): boolean {
  let more = 0;
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) < 0x20) more += 5;
  return more > text.length;
}

const readableBytes = (body: PayloadBody): string => [...readableBytesInPieces(body)].join('');

/** Yields, in pieces, the JSON for bytes that are not text, or that are too long to check. */
export function* readableBytesInPieces({ data, encoding }: PayloadBody): Generator<string, void> {
  yield '{"$bytes":"';
  yield* base64Pieces(data);
  yield `","encoding":${JSON.stringify(encoding)}}`;
}

/** Returns the kind of content. `marked` is a JSON object with a top-level key that equals one of the marks. */
function kindOf(body: string): 'json' | 'marked' | 'text' {
  const scanner = new JsonScanner(body);
  let isMarked = false;
  const isJson = scanner.scan((place, start, end, escaped) => {
    if (place !== 'key' || scanner.depth > 1) return;
    isMarked ||= marks.has(escaped ? unescaped(body, start, end) : body.slice(start, end));
  });
  if (!isJson) return 'text';
  return isMarked ? 'marked' : 'json';
}
