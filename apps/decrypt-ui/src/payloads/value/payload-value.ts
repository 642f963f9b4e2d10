import { escapeInvisible, type JsonPayload } from '@temporal-kms/codec-api';
import { LosslessNumber, parse } from 'lossless-json';

/** A decoded payload, interpreted by its encoding. */
export type PayloadValue =
  | { readonly kind: 'json'; readonly value: unknown; readonly text: string; readonly messageType?: string }
  | { readonly kind: 'text'; readonly text: string; readonly note?: string }
  | {
      readonly kind: 'bytes';
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly messageType?: string;
      /** Present if the encoding is `binary/protobuf`. */
      readonly protobuf?: true;
    }
  | { readonly kind: 'empty' };

export type JsonValue = Extract<PayloadValue, { kind: 'json' }>;

/**
 * Larger JSON is shown as text, and larger protobuf messages as bytes, because a parsed value takes about ten times
 * the memory.
 */
export const MAX_PARSED = 2_000_000;

function metadataText(payload: JsonPayload, name: string): string {
  const value = payload.metadata[name];
  return value === undefined ? '' : escapeInvisible(utf8(fromBase64(value)) ?? value);
}

export const encodingOf = (payload: JsonPayload) => metadataText(payload, 'encoding');

/**
 * Interprets a payload by `metadata.encoding`. Parses `json/*` without losing digits. `binary/null` is empty.
 * `binary/plain` and payloads without an encoding are text if they are valid UTF-8 without control
 * characters. Everything else is bytes.
 */
export function payloadValue(payload: JsonPayload): PayloadValue {
  const encoding = encodingOf(payload);
  const bytes = bytesOf(payload);
  const messageType = metadataText(payload, 'messageType') || undefined;
  const named = messageType === undefined ? {} : { messageType };
  if (encoding === 'binary/null' || (encoding === '' && bytes.length === 0)) return { kind: 'empty' };
  if (encoding.startsWith('json/')) return { ...jsonValue(bytes), ...named };
  const text = encoding === 'binary/plain' || encoding === '' ? utf8(bytes) : undefined;
  // A PDF may contain only readable characters.
  if (text !== undefined && isReadable(text) && !text.startsWith('%PDF-')) return { kind: 'text', text };
  return { kind: 'bytes', bytes, ...named, ...(encoding === 'binary/protobuf' && { protobuf: true }) };
}

function jsonValue(bytes: Uint8Array<ArrayBuffer>): PayloadValue {
  const text = utf8(bytes);
  if (text === undefined) return { kind: 'bytes', bytes };
  if (bytes.length > MAX_PARSED) return { kind: 'text', text, note: 'the JSON is too long to format' };
  try {
    return { kind: 'json', value: parseJson(text), text };
  } catch {
    return { kind: 'text', text, note: 'the encoding is JSON, but the content is not' };
  }
}

/** Parses JSON text. Numbers keep every digit. @throws SyntaxError */
export const parseJson = (text: string): unknown => parse(text, null, parseNumber);

/** Integers of up to 15 digits, which a JavaScript number represents exactly. */
const SHORT_INTEGER = /^(?:0|-?[1-9]\d{0,14})$/;

/**
 * Parses a number without losing digits. Comparing a formatted number with its source would take longer than the rest
 * of the parser.
 */
const parseNumber = (source: string): number | LosslessNumber =>
  SHORT_INTEGER.test(source) ? Number(source) : new LosslessNumber(source);

/** Returns a payload's bytes as they were before encryption. */
export const bytesOf = (payload: JsonPayload): Uint8Array<ArrayBuffer> => fromBase64(payload.data);

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    // `Uint8Array.from` with a function would take ten times as long.
    for (let at = 0; at < bytes.length; at += 1) bytes[at] = binary.charCodeAt(at);
    return bytes;
  } catch {
    return new Uint8Array();
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Returns whether the text contains no control characters other than white space. */
// oxlint-disable-next-line no-control-regex
export const isReadable = (text: string) => !/[\u0000-\u0008\u000e-\u001f\u007f]/.test(text);

/** Returns the text for the clipboard: the original bytes if they are text, otherwise their base64. */
export function copyText(value: PayloadValue): string {
  switch (value.kind) {
    case 'json':
    case 'text':
      return value.text;
    case 'bytes':
      return btoa(Array.from(value.bytes, (byte) => String.fromCharCode(byte)).join(''));
    default:
      return '';
  }
}
