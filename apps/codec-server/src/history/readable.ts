import { exportMarks } from '@temporal-kms/codec-api';
import { encodeBase64 } from '../json/base64.ts';
import { JsonScanner, unescaped } from '../json/json-scanner.ts';
import { utf8Text } from '../utf8.ts';
import type { Body } from './find-text.ts';

const marks: ReadonlySet<string> = new Set(exportMarks);

/**
 * A decoded payload as JSON text for people. JSON bodies stand as they were written, character by character, so that
 * numbers beyond doubles survive; other text is `{"$text", "encoding"}`, other bytes, and text that is mostly control characters, `{"$bytes", "encoding"}` in
 * base64.
 * An object whose keys would pass for such a mark is `{"$value": …}`.
 */
export function readableText({ data, encoding }: Body): string {
  if (encoding === 'binary/null') return 'null';
  const body = utf8Text(data);
  if (body === undefined || encoding === 'binary/protobuf') return readableBytes({ data, encoding });
  if (encoding.startsWith('json/')) {
    const kind = kindOf(body);
    if (kind !== 'text') return kind === 'marked' ? `{"$value":${body}}` : body;
  }
  return growsInJson(body) ? readableBytes({ data, encoding }) : JSON.stringify({ $text: body, encoding });
}

/** Whether text would be more than twice as long in JSON, where most control characters take six. */
function growsInJson(text: string): boolean {
  let more = 0;
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) < 0x20) more += 5;
  return more > text.length;
}

/** Bytes that aren't text, or are too much of it to look at. */
export function readableBytes({ data, encoding }: Body): string {
  return JSON.stringify({ $bytes: encodeBase64(data), encoding });
}

/** `marked`: JSON with a key that is one of ours. */
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
