import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { asPlaintext, type Plaintext } from '../crypto/plaintext.ts';
import { isUsualObject } from './check-payload.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
export type { Payload };

/** A buffer that has grown above this size is not kept for the next payload. */
const MAX_KEPT_BYTES = 256 * 1024;
/** From this size on, data is not copied but given to the cipher as a separate piece. Below, one piece is faster. */
const SEPARATE_DATA_BYTES = 32 * 1024;
/** Field 2, length-delimited: `data`. */
const DATA_TAG = 0x12;

// The type's own writer uses the copy of protobufjs that @temporalio/proto uses. Next to google-gax npm hoists another
// copy, with which Temporal's helpers fail.
const newWriter = () => PayloadMessage.encode({});
let writer = newWriter();

/**
 * Serializes a whole payload, metadata and data, in one piece or two. The buffer is reused for the next payload: `use`
 * is synchronous and must not keep it. It is wiped afterwards, because it holds plaintext. Reusing the writer halves
 * the time to encode 16 KiB.
 */
export function withSerialized<T>(payload: Payload, use: (pieces: readonly Uint8Array[]) => T): T {
  const written = writeUsual(payload);
  return written === undefined ? withWritten(payload, use) : useAndWipe(written, (piece) => use([piece]));
}

/**
 * Serializes a payload for `use` as `withSerialized` does, if it has one metadata entry, the encoding, and little
 * data.
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

/** Field 1 of a payload, and fields 1 and 2 of its entries. */
const METADATA_TAG = 0x0a;
const ENTRY_KEY_TAG = 0x0a;
const ENTRY_VALUE_TAG = 0x12;
const ENCODING_KEY = Buffer.from('encoding');
/** Bytes of an entry besides its value. */
const ENTRY_OVERHEAD = ENCODING_KEY.length + 4;
/** The longest varint of one byte. */
const MAX_ONE_BYTE = 0x7f;
/** Bytes of tags and lengths: those of the entry, and those of data below 2 MiB. */
const usual = new Uint8Array(2 + MAX_ONE_BYTE + 4 + SEPARATE_DATA_BYTES);

/**
 * Serializes what most payloads are, as protobuf's writer does but in a third of the time: the encoding as the only
 * metadata, then the data. Returns a view of `usual`, or undefined for all other payloads.
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
    // A writer that threw keeps its open messages; a large one keeps its memory.
    if (!isReusable) writer = newWriter();
  }
}

/** Serializes a payload into a buffer that the caller may keep across an `await`, and wipes. */
export const serialize = (payload: Payload): Plaintext =>
  asPlaintext(PayloadMessage.encode(payload).finish());

/** Returns the maximum number of fields in a payload's serialization. */
export const fieldsOf = ({ metadata, externalPayloads }: Payload): number =>
  Object.keys(metadata ?? {}).length + 1 + (externalPayloads?.length ?? 0);

/** A payload has about three fields; up to this number their memory does not count. */
const USUAL_FIELDS = 16;
/** Bytes of memory for a field in addition to its content; in the message, it may take only two bytes. */
const FIELD_BYTES = 256;

/** Returns how many bytes of a call's limit a payload's fields take in addition to their content. */
export const memoryOfFields = (fields: number): number => (fields <= USUAL_FIELDS ? 0 : fields * FIELD_BYTES);

/** Whether a payload has neither data nor an encoding other than `binary/null`. */
export function isEmpty({ metadata, data }: Payload): boolean {
  if (data && data.length > 0) return false;
  const encoding = metadata?.['encoding'];
  return !encoding?.length || NULL_ENCODING.equals(encoding);
}

const NULL_ENCODING = Buffer.from('binary/null');
