import { escapeInvisible } from '@temporal-kms/codec-api';
import type { JsonPayload } from '@temporal-kms/codec-api';
import { parse } from 'lossless-json';

/** A decoded payload in the form in which its encoding wants to be read. */
export type PayloadValue =
  | { readonly kind: 'json'; readonly value: unknown; readonly text: string; readonly messageType?: string }
  | { readonly kind: 'text'; readonly text: string; readonly note?: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array<ArrayBuffer>; readonly messageType?: string }
  | { readonly kind: 'empty' };

/** Above this JSON isn't parsed, only shown as text: the parsed tree takes some ten times the memory. */
const MAX_PARSED = 2_000_000;

function metadataText(payload: JsonPayload, name: string): string {
  const value = payload.metadata[name];
  return value === undefined ? '' : escapeInvisible(utf8(fromBase64(value)) ?? value);
}

export const encodingOf = (payload: JsonPayload) => metadataText(payload, 'encoding');

/** By `metadata.encoding`: `json/*` lossless, `binary/null` empty, anything else as text if it is text, else bytes. */
export function payloadValue(payload: JsonPayload): PayloadValue {
  const encoding = encodingOf(payload);
  const bytes = fromBase64(payload.data);
  const messageType = metadataText(payload, 'messageType') || undefined;
  const named = messageType === undefined ? {} : { messageType };
  if (encoding === 'binary/null' || (encoding === '' && bytes.length === 0)) return { kind: 'empty' };
  if (encoding.startsWith('json/')) return { ...jsonValue(bytes), ...named };
  const text = encoding === 'binary/plain' || encoding === '' ? utf8(bytes) : undefined;
  if (text !== undefined && isReadable(text)) return { kind: 'text', text };
  return { kind: 'bytes', bytes, ...named };
}

function jsonValue(bytes: Uint8Array<ArrayBuffer>): PayloadValue {
  const text = utf8(bytes);
  if (text === undefined) return { kind: 'bytes', bytes };
  if (bytes.length > MAX_PARSED) return { kind: 'text', text, note: 'too long to be laid out' };
  try {
    return { kind: 'json', value: parse(text), text };
  } catch {
    return { kind: 'text', text, note: 'says JSON and isn’t' };
  }
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
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

/** No control characters but white space. */
// oxlint-disable-next-line no-control-regex
const isReadable = (text: string) => !/[\u0000-\u0008\u000e-\u001f\u007f]/.test(text);

/** What a copy button gives: the bytes that were sent where they are text, else their base64. */
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

/** `0000  50 4b 03 04 …  PK..`: sixteen bytes a line. */
export function hexLine(bytes: Uint8Array, line: number): { offset: string; hex: string; ascii: string } {
  const slice = [...bytes.subarray(line * 16, line * 16 + 16)];
  const hex = slice.map((byte) => byte.toString(16).padStart(2, '0'));
  const ascii = slice.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·'));
  return {
    offset: (line * 16).toString(16).padStart(4, '0'),
    hex: [hex.slice(0, 8).join(' '), hex.slice(8).join(' ')].join('  '),
    ascii: ascii.join(''),
  };
}
