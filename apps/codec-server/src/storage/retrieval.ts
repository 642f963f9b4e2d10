import { setTimeout as delay } from 'node:timers/promises';
import type { AuditedObject } from '@temporal-kms/audit';
import type { ReasonCode, StoredContent } from '@temporal-kms/codec-api';
import type { Payload } from '@temporal-kms/histories/payloads';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import { freeShared } from '@temporal-kms/node-utils/free-buffer';
import { KeyedSemaphore } from '@temporal-kms/node-utils/keyed-semaphore';
import {
  isStorageReference,
  type ObjectStorage,
  parseStorageReference,
  type StoredObject,
} from '@temporal-kms/payload-storage';

/** Counts reads of objects. Labels never contain a name. */
interface StorageMeter {
  objectRead(bytes: number): void;
  objectFailed(reason: ReasonCode): void;
}

/** The external storage that this server may read. */
export interface ServedStorage {
  readonly objects: Pick<ObjectStorage, 'locate' | 'read'>;
  readonly meter?: StorageMeter | undefined;
}

/** A caller's allowance of bytes. */
export interface ByteAllowance {
  /** Takes bytes. Returns 0 on success, otherwise the milliseconds until the bytes can be taken. */
  take(bytes: number): number;
  /** Corrects a successful `take(taken)` to what was used. */
  settle(taken: number, used: number): void;
}

type Release = (bytes: number) => void;

/** What one request needs to read an object. */
export interface ReadOptions {
  readonly signal: AbortSignal;
  /**
   * Takes memory for an object, and waits for the memory if the request can wait. Returns a function that
   * releases this many bytes.
   */
  readonly hold: (bytes: number) => Release | Promise<Release>;
  /** Writes the audit's entry for the object. Called before the object is read. */
  readonly recordObject: (object: AuditedObject) => Promise<void>;
}

/**
 * The content of an object. Nothing else uses its bytes, so the content can be decrypted in place and then
 * freed. `release` releases the memory that `hold` has taken for its `bytes`.
 */
export interface Retrieved {
  readonly payload: Payload;
  readonly bytes: number;
  readonly object: StoredObject;
  readonly release: () => void;
}

/**
 * Memory in bytes per byte of an object that is only sent: the object, which is decrypted in place and sent
 * in pieces, and half as much garbage.
 */
export const SENT_OBJECT_COST = 3 / 2;

/** Objects up to this size are left to V8, which collects them early enough. */
const SMALL_BYTES = 256 * 1024;

/**
 * Frees the bytes of objects, which also contain the plaintext that was decrypted in place. Call this
 * function when nothing uses the bytes any more.
 */
export function freeObjects(contents: readonly Payload[]): void {
  for (const { data } of contents) if (data && data.length > SMALL_BYTES) freeShared(data.buffer);
}

/** Maximum size of an object, in bytes: the limit of Temporal's drivers. */
const MAX_OBJECT_BYTES = 50 * 2 ** 20;

/** Number of objects that one request reads at a time. */
const READS_IN_FLIGHT = 8;

/** The least number of bytes that a read takes from the allowance, because stores charge for each request. */
const LEAST_CHARGE = 64 * 1024;

/** The object to which a reference points, or why the server does not read it. */
export type Located = StoredObject | KmsCodecError;

/** Reads the objects to which the payloads of one request refer. */
export class Retrieval {
  readonly #storage: ServedStorage;
  readonly #namespace: string;
  readonly #allowance: ByteAllowance | undefined;
  readonly #reads = new KeyedSemaphore(READS_IN_FLIGHT);
  #allowed: Promise<unknown> = Promise.resolve();

  /** @param allowance the caller's allowance; undefined for no limit */
  constructor(storage: ServedStorage, namespace: string, allowance: ByteAllowance | undefined) {
    this.#storage = storage;
    this.#namespace = namespace;
    this.#allowance = allowance;
  }

  /**
   * Returns the object to which a payload refers; undefined if the payload is not a reference. Makes no
   * request.
   */
  locate(payload: Payload): Located | undefined {
    if (!isStorageReference(payload)) return undefined;
    return orError(() => this.#storage.objects.locate(this.#namespace, parseStorageReference(payload)));
  }

  /**
   * Like `locate`, but also returns undefined if the reference's driver is not configured: such references
   * are returned unchanged.
   */
  target(payload: Payload): Located | undefined {
    const located = this.locate(payload);
    return located instanceof KmsCodecError && located.code === 'external_reference' ? undefined : located;
  }

  /**
   * Reads the object to which a reference points, and checks its hash.
   * @throws KmsCodecError before any request: the reason why the server does not read the object, or
   * `too_large`; afterwards: `storage_not_found`, `storage_altered`, `storage_unavailable` or `too_large`
   * @throws what `hold` and `recordObject` throw
   */
  async read(located: Located, options: ReadOptions): Promise<Retrieved> {
    try {
      if (located instanceof KmsCodecError) throw located;
      return await this.#read(located, options);
    } catch (error) {
      if (error instanceof KmsCodecError) this.#storage.meter?.objectFailed(error.code);
      throw error;
    }
  }

  async #read(object: StoredObject, { signal, hold, recordObject }: ReadOptions): Promise<Retrieved> {
    const stated = Number(object.sizeBytes ?? 0);
    if (stated > MAX_OBJECT_BYTES) throw tooLarge(stated);
    const maxBytes = stated === 0 ? MAX_OBJECT_BYTES : stated;
    const charged = Math.max(stated, LEAST_CHARGE);
    await this.#allow(charged, signal);
    let bytes = 0;
    let least = 0;
    let release: Release | undefined;
    const onProgress = (count: number): void => void (bytes = count);
    try {
      // Takes memory before it waits for its turn, so that a read whose turn it is never waits for memory that
      // another read holds.
      release = await hold(maxBytes);
      const payload = await this.#reads.run(this.#namespace, signal, async () => {
        const { type, driverName: driver, bucket, object: name } = object;
        await recordObject({ type, driver, bucket, object: name });
        // If the read fails, the stated size is charged, because the store has done the work even if nothing
        // arrived.
        least = charged;
        return await this.#storage.objects.read(object, { signal, maxBytes, onProgress });
      });
      least = LEAST_CHARGE;
      this.#storage.meter?.objectRead(bytes);
      release(maxBytes - bytes);
      return { payload, bytes, object, release: () => release?.(bytes) };
    } catch (error) {
      release?.(maxBytes);
      if (error instanceof KmsCodecError && error.code === 'storage_not_found') least = LEAST_CHARGE;
      throw error;
    } finally {
      this.#allowance?.settle(charged, Math.max(bytes, least));
    }
  }

  /** Waits until the caller's allowance permits the bytes, in the order of the calls. */
  async #allow(bytes: number, signal: AbortSignal): Promise<void> {
    const allowance = this.#allowance;
    if (allowance === undefined) return;
    const before = this.#allowed;
    const take = async (): Promise<void> => {
      await before;
      for (let wait = allowance.take(bytes); wait > 0; wait = allowance.take(bytes))
        await delay(wait, undefined, { signal });
    };
    const taken = take();
    this.#allowed = taken.catch(() => undefined);
    await taken;
  }
}

/**
 * Returns a function that starts the reads of one request in a namespace. @param storage undefined if the
 * server reads no objects
 */
export const retrievalIn =
  (storage: ServedStorage | undefined) =>
  (namespace: string) =>
  (allowance: ByteAllowance | undefined): Retrieval | undefined =>
    storage && new Retrieval(storage, namespace, allowance);

/** Returns the result of `get`, or the KmsCodecError that it throws. */
function orError<T>(get: () => T): T | KmsCodecError {
  try {
    return get();
  } catch (error) {
    if (error instanceof KmsCodecError) return error;
    throw error;
  }
}

/** The data in a reference about its object, and the reason if the server does not read the object. */
export interface ReferenceInfo {
  readonly stored?: StoredContent;
  /** Undefined if the server can read the object. */
  readonly reason: ReasonCode | undefined;
}

/**
 * Returns the data in a reference about its object, without a request; undefined for other payloads.
 * @param storage undefined if the server reads no objects
 */
export function referenceInfo(
  payload: Payload,
  namespace: string,
  storage: ServedStorage | undefined,
): ReferenceInfo | undefined {
  if (!isStorageReference(payload)) return undefined;
  const reference = orError(() => parseStorageReference(payload));
  if (reference instanceof KmsCodecError)
    return { reason: storage === undefined ? 'external_reference' : reference.code };
  const { driverName: driver, bucket, object, sizeBytes } = reference;
  const located = storage && orError(() => storage.objects.locate(namespace, reference));
  const reason = located instanceof KmsCodecError ? located.code : undefined;
  const readable = located !== undefined && !(located instanceof KmsCodecError);
  const { type } = readable ? located : reference;
  const bytes = sizeBytes === undefined ? {} : { bytes: Number(sizeBytes) };
  return {
    stored: { driver, type, bucket, object, ...bytes, readable },
    reason: located === undefined ? 'external_reference' : reason,
  };
}

/**
 * Returns the error for an object whose content is another reference. The server follows only the first
 * reference.
 */
export const nestedReference = (): KmsCodecError =>
  new KmsCodecError(
    'malformed',
    'The object contains another reference to external storage, which is not read',
  );

const tooLarge = (bytes: number): KmsCodecError =>
  new KmsCodecError(
    'too_large',
    `The reference names an object of ${bytes} bytes; the server reads at most ${MAX_OBJECT_BYTES}`,
  );
