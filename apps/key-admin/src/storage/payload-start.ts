import { createHash } from 'node:crypto';
import type { Payload } from '@temporal-kms/histories/payloads';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import { isStorageReference, type ObjectStorage, type StoredObject } from '@temporal-kms/payload-storage';

/** The number of bytes to read. In every message, the metadata and the header together take fewer bytes. */
const START_BYTES = 16 * 1024;
/**
 * Maximum size of metadata in bytes. Every message's metadata is smaller, so the bytes that are read also
 * contain the message's header, which follows the metadata.
 */
const MAX_METADATA_BYTES = START_BYTES / 2;

/** Protobuf tags of a serialized `temporal.api.common.v1.Payload` and of a metadata entry. */
const METADATA = 0x0a;
const DATA = 0x12;
const KEY = 0x0a;
const VALUE = 0x12;

/** The content of the first bytes of a stored payload. */
export interface PayloadStart {
  /** All metadata, and the start of the data, which contains the header of a message. */
  readonly payload: Payload;
  /** The size of the whole object, according to the lengths that the object contains. */
  readonly size: number;
  /** The size of the data. */
  readonly dataBytes: number;
}

/**
 * Reads the start of a stored payload. Checks the hash only of a small object, because checking a larger object's hash
 * would require all its bytes.
 * @throws KmsCodecError `storage_not_found`, `storage_unavailable` or `storage_altered`; `malformed` if the object
 * contains another reference. Throws the signal's reason after an abort
 */
export async function readPayloadStart(
  storage: Pick<ObjectStorage, 'readStart'>,
  object: StoredObject,
  signal: AbortSignal = new AbortController().signal,
): Promise<PayloadStart> {
  const { bytes, objectSize } = await storage.readStart(object, START_BYTES, { signal });
  const start = payloadStart(bytes);
  const isWhole = bytes.length < START_BYTES;
  if (start !== undefined && isStorageReference(start.payload))
    throw new KmsCodecError(
      'malformed',
      `The stored object ${object.name} contains another reference to external storage, which no reader follows`,
    );
  if (!isWhole && objectSize === undefined)
    throw new KmsCodecError(
      'storage_unavailable',
      `The store does not declare the size of the stored object ${object.name}`,
    );
  if (
    start === undefined ||
    !(isWhole ? isUnchanged(bytes, start, object) : start.size === objectSize && showsKey(start))
  )
    throw new KmsCodecError(
      'storage_altered',
      `The stored object ${object.name} was altered or truncated, or no SDK stored it`,
    );
  const wrongSize = sizeError(object.name, object.sizeBytes, start.size);
  if (wrongSize) throw wrongSize;
  return start;
}

/** Returns the error for a reference whose size differs from the object's size. */
export const sizeError = (
  name: string,
  stated: bigint | string | undefined,
  size: number,
): KmsCodecError | undefined =>
  stated === undefined || String(stated) === String(size)
    ? undefined
    : new KmsCodecError(
        'storage_altered',
        `The reference to ${name} states ${stated} bytes, and the object has ${size}`,
      );

const isUnchanged = (bytes: Uint8Array, { size }: PayloadStart, { sha256 }: StoredObject): boolean =>
  bytes.length === size && createHash('sha256').update(bytes).digest('hex') === sha256;

/** Whether the start contains everything that determines the key, provided that no field follows the data. */
const showsKey = ({ payload: { metadata }, size, dataBytes }: PayloadStart): boolean =>
  metadata?.['encoding'] !== undefined && size - dataBytes <= MAX_METADATA_BYTES;

/** Returns the start of a stored payload, or undefined if no SDK stores this content. */
function payloadStart(bytes: Uint8Array): PayloadStart | undefined {
  try {
    return parseStart(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}

/**
 * Parses the first bytes of a stored payload. Temporal's SDKs write the metadata first, and nothing after the data.
 * @throws RangeError for any other content
 */
function parseStart(bytes: Uint8Array): PayloadStart {
  const metadata: Record<string, Uint8Array> = Object.create(null);
  const reader = new Reader(bytes);
  while (reader.position < bytes.length) {
    const tag = reader.byte();
    const length = reader.varint();
    if (tag === DATA) {
      const size = reader.position + length;
      const data = bytes.subarray(reader.position, size);
      return { payload: { metadata, data }, size, dataBytes: length };
    }
    if (tag !== METADATA) throw notAPayload();
    const [key, value] = entryOf(reader.take(length));
    if (key in metadata) throw notAPayload();
    metadata[key] = value;
  }
  return { payload: { metadata, data: new Uint8Array() }, size: bytes.length, dataBytes: 0 };
}

/** Returns the key and value of a metadata entry. Protobuf omits an empty key or value. */
function entryOf(bytes: Uint8Array): readonly [string, Uint8Array] {
  const reader = new Reader(bytes);
  const fields = new Map<number, Uint8Array>();
  while (reader.position < bytes.length) {
    const tag = reader.byte();
    if ((tag !== KEY && tag !== VALUE) || fields.has(tag)) throw notAPayload();
    fields.set(tag, reader.take(reader.varint()));
  }
  return [Buffer.from(fields.get(KEY) ?? []).toString(), fields.get(VALUE) ?? new Uint8Array()];
}

class Reader {
  readonly #bytes: Uint8Array;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    const byte = this.#bytes[this.position];
    if (byte === undefined) throw notAPayload();
    this.position += 1;
    return byte;
  }

  /** Reads a length of at most 32 bits. */
  varint(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 2 ** 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw notAPayload();
  }

  take(length: number): Uint8Array {
    const end = this.position + length;
    if (end > this.#bytes.length) throw notAPayload();
    const taken = this.#bytes.subarray(this.position, end);
    this.position = end;
    return taken;
  }
}

const notAPayload = (): RangeError =>
  new RangeError('The bytes are not a payload in the form that SDKs store.');
