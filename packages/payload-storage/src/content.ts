import { createHash } from 'node:crypto';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import { freeBuffer } from '@temporal-kms/node-utils/free-buffer';
import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { type ObjectReader, type OpenObject, ReaderError } from './reader.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

/** The size limit of Temporal's drivers, 50 MiB. */
const MAX_BYTES = 50 * 1024 * 1024;
/** The size of the first buffer if the store declares no size. */
const FIRST_BYTES = 64 * 1024;

export interface ObjectToRead {
  readonly object: string;
  readonly sha256: string;
  /** The object's name in messages. */
  readonly name: string;
  /** The store's name in messages that may be logged. */
  readonly store?: string;
  /** Size that the reference states. A larger object causes `storage_altered`. */
  readonly sizeBytes?: bigint | undefined;
}

export interface ReadPayloadOptions {
  readonly signal: AbortSignal;
  /** Maximum size of the object, in bytes. The default is 50 MiB, the limit of Temporal's drivers. */
  readonly maxBytes?: number | undefined;
  /** Called when bytes arrive, with the number of bytes that have arrived so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/**
 * Reads an object, compares the hash of its bytes with the reference, and returns the object's payload. The
 * payload's data is a view of the bytes that arrived, so that an object is never in memory twice. The caller
 * may overwrite or free the buffer of these bytes, because nothing else uses the buffer.
 * @throws KmsCodecError `storage_not_found`, `storage_unavailable`, `storage_altered` or `too_large`; the
 *   signal's reason
 */
export async function readStoredPayload(
  reader: ObjectReader,
  { object, sha256, name, store, sizeBytes }: ObjectToRead,
  { signal, maxBytes = MAX_BYTES, onProgress }: ReadPayloadOptions,
): Promise<Payload> {
  const hash = createHash('sha256');
  const stated = Number(sizeBytes) || Infinity;
  const limit =
    stated <= maxBytes
      ? { maxBytes: stated, excess: () => largerThanStated(name, stated) }
      : { maxBytes, excess: () => tooLarge(name, maxBytes) };
  const bytes = await collect(reader, object, { name, store, signal, ...limit }, (chunk, count) => {
    hash.update(chunk);
    onProgress?.(count);
  });
  if (hash.digest('hex') !== sha256)
    throw new KmsCodecError(
      'storage_altered',
      `The hash of the stored object ${quoted(name)} (${bytes.length} bytes) differs from the hash in the reference`,
    );
  try {
    checkFields(bytes, name);
    return PayloadMessage.decode(bytes);
  } catch (error) {
    if (error instanceof KmsCodecError) throw error;
    throw new KmsCodecError('storage_altered', `The stored object ${quoted(name)} is not a payload`);
  }
}

/**
 * Limits on a payload's metadata, which usually has a few short entries. The limits are necessary because a
 * decoded entry takes a hundred times as much memory as its encoded bytes, and because an entry of 50 MiB
 * that repeats a field takes seconds to decode.
 */
const MAX_ENTRIES = 64;
const MAX_METADATA_BYTES = 64 * 1024;
/** The tags of the fields `data` and `external_payloads` (numbers 2 and 3, wire type 2). */
const DATA = 0x12;
const EXTERNAL_PAYLOADS = 0x1a;

/**
 * Checks, before a payload is decoded, how many fields its encoded form has, and how many bytes they take
 * without the data.
 * @throws KmsCodecError `too_large`; RangeError for bytes that are not a message, or in which further data or
 *   metadata follows the data
 */
function checkFields(bytes: Uint8Array, name: string): void {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 63; factor *= 2 ** 7) {
      const byte = bytes[at] ?? 0;
      at += 1;
      value += (byte % 128) * factor;
      if (byte < 128) return value;
    }
    throw new RangeError('A number has more than ten bytes.');
  };
  let metadataBytes = 0;
  let hasData = false;
  for (let fields = 1; at < bytes.length; fields += 1) {
    const tag = varint();
    const type = tag % 8;
    const number = type === 0 || type === 2 ? varint() : 0;
    const length = [0, 8, number, 0, 0, 4][type] ?? 0;
    // If a field occurs several times, Protobuf's readers use the last occurrence, but `scan` reads only the
    // start of an object.
    if (hasData && tag !== EXTERNAL_PAYLOADS)
      throw new RangeError('A field other than external_payloads follows the data.');
    if (tag === DATA) hasData = true;
    else metadataBytes += length;
    if (fields - Number(hasData) > MAX_ENTRIES || metadataBytes > MAX_METADATA_BYTES)
      throw new KmsCodecError(
        'too_large',
        `The stored object ${quoted(name)} has more than ${MAX_ENTRIES} metadata entries, or more than ` +
          `${MAX_METADATA_BYTES} bytes of metadata`,
      );
    at += length;
  }
}

/** The first bytes of an object. */
export interface ObjectStart {
  readonly bytes: Buffer;
  /** Size of the whole object in bytes, or undefined if the store does not declare the size. */
  readonly objectSize: number | undefined;
}

/**
 * Returns at most the first `bytes` bytes of an object, without a check of its hash.
 * @throws KmsCodecError `storage_not_found` or `storage_unavailable`; the signal's reason
 */
export async function readStoredStart(
  reader: ObjectReader,
  { object, name, store }: Pick<ObjectToRead, 'object' | 'name' | 'store'>,
  bytes: number,
  signal: AbortSignal,
): Promise<ObjectStart> {
  return await explained({ name, store }, signal, async () => {
    const opened = await reader.open(object, { bytes, signal });
    const chunks: Uint8Array[] = [];
    let count = 0;
    for await (const chunk of chunksOf(opened)) {
      chunks.push(chunk);
      count += chunk.length;
      // A server may ignore the requested range.
      if (count >= bytes) break;
    }
    return { bytes: Buffer.concat(chunks).subarray(0, bytes), objectSize: opened.objectSize };
  });
}

const tooLarge = (name: string, maxBytes: number): KmsCodecError =>
  new KmsCodecError(
    'too_large',
    `The stored object ${quoted(name)} exceeds the limit of ${maxBytes} bytes for a read`,
  );

const largerThanStated = (name: string, stated: number): KmsCodecError =>
  new KmsCodecError(
    'storage_altered',
    `The stored object ${quoted(name)} has more than the ${stated} bytes that its reference states`,
  );

interface CollectOptions extends Named {
  readonly signal: AbortSignal;
  readonly maxBytes: number;
  /** Returns the error for an object that exceeds `maxBytes`. */
  readonly excess: () => KmsCodecError;
}

async function collect(
  reader: ObjectReader,
  object: string,
  { name, store, signal, maxBytes, excess }: CollectOptions,
  onChunk: (chunk: Uint8Array, count: number) => void,
): Promise<Buffer> {
  return await explained({ name, store }, signal, async () => {
    const opened = await reader.open(object, { signal });
    const { size, content } = opened;
    if (size !== undefined && size > maxBytes) {
      content.destroy();
      throw excess();
    }
    let buffer = Buffer.allocUnsafeSlow(size ?? Math.min(FIRST_BYTES, maxBytes));
    let count = 0;
    for await (const chunk of chunksOf(opened)) {
      if (count + chunk.length > maxBytes) throw excess();
      if (count + chunk.length > buffer.length) {
        const larger = Buffer.allocUnsafeSlow(
          Math.min(maxBytes, Math.max(2 * buffer.length, count + chunk.length)),
        );
        larger.set(buffer.subarray(0, count));
        buffer = larger;
      }
      buffer.set(chunk, count);
      count += chunk.length;
      onChunk(chunk, count);
      freeBuffer(chunk);
    }
    return buffer.subarray(0, count);
  });
}

/**
 * Yields an object's bytes.
 * @throws ReaderError if the bytes end early, because the connection has failed or the store has lost the
 *   rest of the object
 */
async function* chunksOf({ size, content }: OpenObject): AsyncGenerator<Uint8Array, void> {
  let count = 0;
  const endedEarly = (cause?: unknown): ReaderError => {
    const of = size === undefined ? '' : ` of ${size}`;
    return new ReaderError('unavailable', `the response ended early, after ${count}${of} bytes`, { cause });
  };
  try {
    for await (const chunk of content as AsyncIterable<Uint8Array>) {
      count += chunk.length;
      yield chunk;
    }
  } catch (cause) {
    throw cause instanceof ReaderError ? cause : endedEarly(cause);
  }
  if (size !== undefined && count < size) throw endedEarly();
}

interface Named {
  readonly name: string;
  readonly store: string | undefined;
}

async function explained<T>(
  { name, store }: Named,
  signal: AbortSignal,
  operation: () => Promise<T>,
): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof KmsCodecError) throw error;
    throw storageError(`The stored object ${quoted(name)}`, error, store && `A stored object of ${store}`);
  }
}

/** The error `storage_unavailable`. */
export class StorageUnavailable extends KmsCodecError {
  /**
   * The message without the object's name, because the writer of a reference chooses that name.
   */
  readonly loggable: string;
  /** Whether the store denied access to this identity. */
  readonly isForbidden: boolean;

  /**
   * @param what a description of the object, with its name
   * @param loggableWhat a description without the name
   */
  constructor(what: string, why: string, loggableWhat = what, isForbidden = false) {
    super('storage_unavailable', `${what} could not be read: ${why}`);
    this.loggable = `${loggableWhat} could not be read: ${why}`;
    this.isForbidden = isForbidden;
  }
}

/**
 * Converts a reader's error into a `KmsCodecError`. Omits the cause, which can contain network addresses.
 * @param loggableWhat what to log in place of `what`
 */
export function storageError(what: string, error: unknown, loggableWhat?: string): KmsCodecError {
  if (!(error instanceof ReaderError))
    return new StorageUnavailable(what, 'the connection failed', loggableWhat);
  if (error.code === 'not_found')
    return new KmsCodecError('storage_not_found', `${what} is gone: ${error.message}`);
  return new StorageUnavailable(what, error.message, loggableWhat, error.code === 'forbidden');
}

/** Escapes characters that could break up a log line, because object names may contain any character. */
export const quoted = (name: string): string =>
  JSON.stringify(name).replaceAll(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
