import { isUtf8 } from 'node:buffer';
import proto from '@temporalio/proto';
import type { Plaintext } from '../crypto/plaintext.ts';
import { KmsCodecError } from '../errors.ts';
import type { Payload } from './payload.ts';

/*
 * Reads a message's plaintext, which is a Payload in the strict protobuf profile that docs/wire-formats.md
 * specifies. General protobuf parsers disagree about unknown and repeated fields, long varints and invalid
 * UTF-8, so two readers that use them could understand one message differently.
 */

const { ExternalPayloadDetails } = proto.temporal.api.common.v1.Payload;
type ExternalPayloads = NonNullable<Payload['externalPayloads']>;

/** Protobuf tags (field number and wire type), each of which is one byte. */
const METADATA = 0x0a;
const DATA = 0x12;
const EXTERNAL_PAYLOADS = 0x1a;
const ENTRY_KEY = 0x0a;
const ENTRY_VALUE = 0x12;
const SIZE_BYTES = 0x08;

const noBytes = new Uint8Array();

/** The position at which the functions below read next. */
let position = 0;

/**
 * Parses a serialized payload. The returned fields are views into `bytes`.
 * @throws KmsCodecError `malformed` if the bytes do not conform to the profile
 */
export function deserialize(bytes: Plaintext): Payload {
  const metadata = new Map<string, Uint8Array>();
  const externalPayloads: ExternalPayloads = [];
  let data: Uint8Array | undefined;
  position = 0;
  while (position < bytes.length) {
    const tag = bytes[position];
    position += 1;
    const end = readEnd(bytes, bytes.length);
    if (tag === METADATA) {
      readEntry(bytes, end, metadata);
    } else if (tag === DATA && data === undefined) {
      data = bytes.subarray(position, end);
      position = end;
    } else if (tag === EXTERNAL_PAYLOADS) {
      externalPayloads.push(readExternalPayload(bytes, end));
    } else {
      throw notAPayload();
    }
  }
  // `fromEntries` treats `__proto__` as an ordinary key.
  const payload = { metadata: Object.fromEntries(metadata), data: data ?? noBytes };
  return externalPayloads.length > 0 ? { ...payload, externalPayloads } : payload;
}

/**
 * Reads a metadata entry. Treats a missing key or value as empty, because some serializers omit empty keys
 * and values.
 */
function readEntry(bytes: Uint8Array, entryEnd: number, metadata: Map<string, Uint8Array>): void {
  let key: string | undefined;
  let value: Uint8Array | undefined;
  while (position < entryEnd) {
    const tag = bytes[position];
    position += 1;
    const end = readEnd(bytes, entryEnd);
    const content = bytes.subarray(position, end);
    position = end;
    if (tag === ENTRY_KEY && key === undefined && isUtf8(content)) key = textOf(content);
    else if (tag === ENTRY_VALUE && value === undefined) value = content;
    else throw notAPayload();
  }
  key ??= '';
  if (metadata.has(key)) throw notAPayload();
  metadata.set(key, value ?? noBytes);
}

function readExternalPayload(bytes: Uint8Array, end: number): ExternalPayloads[number] {
  const content = bytes.subarray(position, end);
  if (position < end) {
    const tag = bytes[position];
    position += 1;
    if (tag !== SIZE_BYTES || Number.isNaN(readVarint(bytes)) || position !== end) throw notAPayload();
  }
  // protobuf's reader returns an int64 as a Long.
  return ExternalPayloadDetails.decode(content);
}

const textOf = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString();

/** Reads a length. Returns the end of the content, which begins at `position`. */
function readEnd(bytes: Uint8Array, limit: number): number {
  const end = readVarint(bytes) + position;
  if (end <= limit) return end;
  throw notAPayload();
}

const MAX_VARINT_BYTES = 10;

/**
 * Reads a varint of at most 64 bits. The result is not exact above 2^53, but no length is that large.
 * @returns NaN if the varint is truncated, too long, or not in its shortest form
 */
function readVarint(bytes: Uint8Array): number {
  let value = 0;
  let factor = 1;
  for (let count = 1; count <= MAX_VARINT_BYTES; count += 1) {
    const byte = bytes[position];
    if (byte === undefined) return Number.NaN;
    position += 1;
    value += (byte % 128) * factor;
    if (byte < 128) {
      const isShortest = byte !== 0 || count === 1;
      return isShortest && (count < MAX_VARINT_BYTES || byte === 1) ? value : Number.NaN;
    }
    factor *= 128;
  }
  return Number.NaN;
}

const ENCODING_KEY = Buffer.from('encoding');

/**
 * Parses the most common form of a payload, and does so faster than `deserialize`. In this form, the encoding
 * is the only metadata entry, and the data follows. The returned fields are views into `bytes`. Returns
 * undefined for all other bytes, even if they are valid.
 */
export function readUsual(bytes: Plaintext): Payload | undefined {
  // metadata { 1: "encoding", 2: value }
  const entry = bytes[1] ?? 0;
  const value = entry - ENCODING_KEY.length - 4;
  if (bytes[0] !== METADATA || entry > 0x7f || bytes[2] !== ENTRY_KEY || bytes[3] !== ENCODING_KEY.length) {
    return undefined;
  }
  const valueAt = 6 + ENCODING_KEY.length;
  if (bytes[valueAt - 2] !== ENTRY_VALUE || bytes[valueAt - 1] !== value) return undefined;
  for (let at = 0; at < ENCODING_KEY.length; at += 1)
    if (bytes[4 + at] !== ENCODING_KEY[at]) return undefined;
  const dataAt = valueAt + value;
  if (bytes[dataAt] !== DATA) return undefined;
  position = dataAt + 1;
  const length = readVarint(bytes);
  if (position + length !== bytes.length) return undefined;
  return { metadata: { encoding: bytes.subarray(valueAt, dataAt) }, data: bytes.subarray(position) };
}

/**
 * Counts a serialized payload's top-level fields, without allocating memory for them.
 * @throws KmsCodecError `malformed` if a field or a length is invalid
 */
export function countFields(bytes: Plaintext): number {
  let fields = 0;
  position = 0;
  for (; position < bytes.length; fields += 1) {
    const tag = bytes[position];
    if (tag !== METADATA && tag !== DATA && tag !== EXTERNAL_PAYLOADS) throw notAPayload();
    position += 1;
    position = readEnd(bytes, bytes.length);
  }
  return fields;
}

export const notAPayload = (): KmsCodecError =>
  new KmsCodecError(
    'malformed',
    'The message was decrypted, but its content is not a Temporal payload in the form that writers serialize',
  );
