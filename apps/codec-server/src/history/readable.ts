import { exportMarks } from '@temporal-kms/codec-api';
import { payloadToJson } from '../json/payload-json.ts';
import type { Payload } from '../payload.ts';
import { utf8Text } from '../utf8.ts';

const marks: ReadonlySet<string> = new Set(exportMarks);

/**
 * A decoded payload as JSON text for people. JSON bodies stand as they were written, character by character, so that
 * numbers beyond doubles survive; other text is `{"$text", "encoding"}`, other bytes `{"$bytes", "encoding"}` in base64.
 * An object whose keys would pass for such a mark is `{"$value": …}`.
 */
export function readableJson(payload: Payload): string {
  const encoding = Buffer.from(payload.metadata?.['encoding'] ?? []).toString();
  const { data } = payload;
  if (encoding === 'binary/null') return 'null';
  const body = data && utf8Text(data);
  if (body !== undefined && body !== null && encoding.startsWith('json/')) {
    const parsed = parse(body);
    if (parsed !== undefined) return isMarked(parsed.value) ? `{"$value":${body}}` : body;
  }
  if (body !== undefined && body !== null && encoding !== 'binary/protobuf') {
    return JSON.stringify({ $text: body, encoding });
  }
  return JSON.stringify({ $bytes: payloadToJson(payload).data ?? '', encoding });
}

function parse(body: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(body) };
  } catch {
    return undefined;
  }
}

const isMarked = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).some((key) => marks.has(key));
