import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { asPlaintext, type Plaintext } from '../crypto/plaintext.ts';
import { isUsualObject } from './check-payload.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
export type { Payload };

/** Maximum size of a buffer that is kept for the next payload. */
const MAX_KEPT_BYTES = 256 * 1024;
/**
 * Minimum size of data that is not copied but passed to the cipher as a separate piece. For smaller data, one
 * piece is faster.
 */
const SEPARATE_DATA_BYTES = 32 * 1024;
/** Field 2, length-delimited: `data`. */
const DATA_TAG = 0x12;

// Uses the message type's own writer, to get the copy of protobufjs that @temporalio/proto uses. npm hoists
// another copy for google-gax, with which Temporal's helpers fail.
const newWriter = () => PayloadMessage.encode({});
let writer = newWriter();

/**
 * Serializes the metadata and data of a payload, in one or two pieces. The next payload reuses the buffer, so
 * `use` must be synchronous and must not keep the pieces. Wipes the buffer afterwards, because it contains
 * plaintext. Reusing the writer halves the time to encode 16 KiB.
 */
export function withSerialized<T>(payload: Payload, use: (pieces: readonly Uint8Array[]) => T): T {
  const written = writeUsual(payload);
  return written === undefined ? withWritten(payload, use) : useAndWipe(written, (piece) => use([piece]));
}

/**
 * Like `withSerialized`, but only for a payload whose only metadata entry is the encoding and whose data is
 * small. Returns undefined for any other payload.
 */
export function withUsual<T>(payload: Payload, use: (piece: Uint8Array) => T): T | undefined {
  if ('$unknowns' in payload || (payload.externalPayloads && !Array.isArray(payload.externalPayloads)))
    return undefined;
  const written = writeUsual(payload);
  return written && useAndWipe(written, use);
}

function useAndWipe<T>(bytes: Uint8Array, use: (bytes: Uint8Array) => T): T {
  try {
    return use(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Protobuf tags: field 1 of a payload, and fields 1 and 2 of a metadata entry. */
const METADATA_TAG = 0x0a;
const ENTRY_KEY_TAG = 0x0a;
const ENTRY_VALUE_TAG = 0x12;
const ENCODING_KEY = Buffer.from('encoding');
/** Number of bytes of a metadata entry, without its value. */
const ENTRY_OVERHEAD = ENCODING_KEY.length + 4;
/** The largest value of a one-byte varint. */
const MAX_ONE_BYTE = 0x7f;
/**
 * The buffer of `writeUsual`. It has room for the metadata entry with its tag and length, and for the data with its tag
 * and length. The data's tag and length take at most four bytes, because the data is below 2 MiB.
 */
const usual = new Uint8Array(2 + MAX_ONE_BYTE + 4 + SEPARATE_DATA_BYTES);

/**
 * Serializes the most common form of a payload, in which the encoding is the only metadata entry. Writes
 * the same bytes as protobuf's writer, in a third of the time. Returns a view of `usual`, or
 * undefined for any other payload.
 */
function writeUsual({ metadata, data, externalPayloads }: Payload): Uint8Array | undefined {
  if (!data?.length || data.length >= SEPARATE_DATA_BYTES || externalPayloads?.length) return undefined;
  if (!isUsualObject(metadata)) return undefined;
  for (const name in metadata) if (name !== 'encoding') return undefined;
  const { encoding } = metadata;
  if (!(encoding instanceof Uint8Array) || encoding.length > MAX_ONE_BYTE - ENTRY_OVERHEAD) return undefined;
  usual[0] = METADATA_TAG;
  usual[1] = ENTRY_OVERHEAD + encoding.length;
  usual[2] = ENTRY_KEY_TAG;
  usual[3] = ENCODING_KEY.length;
  usual.set(ENCODING_KEY, 4);
  let at = 4 + ENCODING_KEY.length;
  usual[at++] = ENTRY_VALUE_TAG;
  usual[at++] = encoding.length;
  usual.set(encoding, at);
  at += encoding.length;
  usual[at++] = DATA_TAG;
  let { length } = data;
  for (; length > MAX_ONE_BYTE; length >>>= 7) usual[at++] = (length & MAX_ONE_BYTE) | 0x80;
  usual[at++] = length;
  usual.set(data, at);
  return new Uint8Array(usual.buffer, 0, at + data.length);
}

/** Serializes with protobuf's writer. */
function withWritten<T>(payload: Payload, use: (pieces: readonly Uint8Array[]) => T): T {
  let isReusable = false;
  try {
    const { data } = payload;
    const separate =
      data && data.length >= SEPARATE_DATA_BYTES && !payload.externalPayloads?.length ? data : undefined;
    const written = separate
      ? PayloadMessage.encode({ metadata: payload.metadata ?? null }, writer.reset())
          .uint32(DATA_TAG)
          .uint32(separate.length)
      : PayloadMessage.encode(payload, writer.reset());
    const piece = written.finish(true);
    try {
      return use(separate ? [piece, separate] : [piece]);
    } finally {
      piece.fill(0);
      isReusable = piece.length <= MAX_KEPT_BYTES;
    }
  } finally {
    // Replaces a writer that threw an error, because that writer keeps the unfinished message. Also replaces
    // a writer that has grown large, because that writer keeps its memory.
    if (!isReusable) writer = newWriter();
  }
}

/**
 * Serializes a payload into a separate buffer, with an empty `data` field before the payload's bytes. The
 * caller may keep the buffer across an `await`, and must wipe it.
 */
export const serializeAfterEmptyData = (payload: Payload): Plaintext =>
  asPlaintext(PayloadMessage.encode(payload, newWriter().uint32(DATA_TAG).uint32(0)).finish());

/** Returns the maximum number of fields in a payload's serialized form. */
export const fieldsOf = ({ metadata, externalPayloads }: Payload): number =>
  Object.keys(metadata ?? {}).length + 1 + (externalPayloads?.length ?? 0);

/**
 * Up to this number of fields, a payload's additional memory is not counted. A usual payload has about three
 * fields.
 */
const USUAL_FIELDS = 16;
/**
 * Number of bytes of memory that a field takes in addition to its content. In a message, a field can take
 * as little as two bytes.
 */
const FIELD_BYTES = 256;

/** Returns how many bytes of a call's limit a payload's fields use, in addition to their content. */
export const memoryOfFields = (fields: number): number => (fields <= USUAL_FIELDS ? 0 : fields * FIELD_BYTES);

/** Returns whether a payload has no data, and no encoding except `binary/null`. */
export function isEmpty({ metadata, data }: Payload): boolean {
  if (data && data.length > 0) return false;
  const encoding = metadata?.['encoding'];
  return !encoding?.length || NULL_ENCODING.equals(encoding);
}

const NULL_ENCODING = Buffer.from('binary/null');
