import { MalformedProtobuf, type ProtobufField, protobufFields } from '@temporal-kms/histories/files';
import { LosslessNumber } from 'lossless-json';
import { hexByte } from './hex.ts';
import { isReadable, MAX_PARSED } from './payload-value.ts';

/** Maximum nesting depth. Messages nested deeper than this are shown as bytes. */
const MAX_DEPTH = 40;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Parses a protobuf message without its descriptor, and returns its fields by number. A length-delimited field
 * becomes text if it is readable UTF-8, else a message if it parses as one, else bytes in hexadecimal. A repeated
 * field becomes an array. Returns undefined if the bytes are not a message or exceed `MAX_PARSED`.
 */
export function protobufValue(bytes: Uint8Array, depth = 0): Record<string, unknown> | undefined {
  if (bytes.length > MAX_PARSED) return undefined;
  const fields = new Map<string, unknown[]>();
  try {
    for (const field of protobufFields(bytes)) {
      const name = String(field.number);
      const value = fieldValue(field, depth);
      const values = fields.get(name);
      if (values) values.push(value);
      else fields.set(name, [value]);
    }
  } catch (error) {
    if (error instanceof MalformedProtobuf) return undefined;
    throw error;
  }
  return Object.fromEntries(
    [...fields].map(([name, values]) => [name, values.length > 1 ? values : values[0]]),
  );
}

function fieldValue({ wire, value, encoded }: ProtobufField, depth: number): unknown {
  if (typeof value === 'number') return new LosslessNumber(String(varint(encoded)));
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  if (wire === 'fixed64')
    return {
      $fixed64: new LosslessNumber(String(view.getBigUint64(0, true))),
      double: view.getFloat64(0, true),
    };
  if (wire === 'fixed32') return { $fixed32: view.getUint32(0, true), float: view.getFloat32(0, true) };
  const message = value.length > 0 && depth < MAX_DEPTH ? protobufValue(value, depth + 1) : undefined;
  return textOf(value) ?? message ?? { $hex: Array.from(value, hexByte).join(' ') };
}

/** Decodes a varint as a bigint, because it has up to 64 bits. */
const varint = (encoded: Uint8Array): bigint =>
  encoded.reduceRight((sum, byte) => (sum << 7n) | BigInt(byte & 0x7f), 0n);

function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = utf8.decode(bytes);
    return isReadable(text) ? text : undefined;
  } catch {
    return undefined;
  }
}
