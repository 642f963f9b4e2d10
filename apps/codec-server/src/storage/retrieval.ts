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
import { allOrNone } from './all-or-none.ts';

/** Counts reads of objects. Labels never contain a name. */
interface StorageMeter {
  objectRead(bytes: number): void;
  objectFailed(reason: ReasonCode): void;
}

/** The external storage that this server may read. */
export interface ServedStorage {
  readonly objects: Pick<ObjectStorage, 'locate' | 'read' | 'readStart'>;
  readonly meter?: StorageMeter | undefined;
}

/** A caller's allowance of bytes. */
export interface ByteAllowance {
  /** Takes bytes. Returns 0 on success, otherwise the milliseconds until the bytes can be taken. */
  take(bytes: number): number;
  /** Adjusts a successful `take(taken)` to the number of bytes that were used. */
  settle(taken: number, used: number): void;
}

type Release = (bytes: number) => void;

/** The functions with which one request prepares to read objects. */
export interface PrepareOptions {
  readonly signal: AbortSignal;
  /** Writes the audit's entry for the object. Called before the first request for the object. */
  readonly recordObject: (object: AuditedObject) => Promise<void>;
}

/** The functions with which one request reads an object. */
export interface ReadOptions extends PrepareOptions {
  /**
   * Takes memory for an object, and waits for the memory if the request can wait. Returns a function that
   * releases the given number of bytes.
   */
  readonly hold: (bytes: number) => Release | Promise<Release>;
}

/**
 * An object whose bytes have been taken from the caller's allowance. Each prepared object may be read only
 * once.
 */
export interface Prepared {
  readonly object: StoredObject;
  readonly maxBytes: number;
  readonly charged: number;
  /** Whether the audit already names the object. */
  readonly isRecorded: boolean;
}

/**
 * The content of an object. Nothing else uses the content's bytes, so they can be decrypted in place and
 * then freed. `release` releases the memory that `hold` has taken for the `bytes`.
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
 * Frees the bytes of objects. Because objects are decrypted in place, these bytes also contain plaintext.
 * Call this function when nothing uses the bytes any more.
 */
export function freeObjects(contents: readonly Payload[]): void {
  for (const { data } of contents) if (data && data.length > SMALL_BYTES) freeShared(data.buffer);
}

/** Maximum size of an object, in bytes: the limit of Temporal's drivers. */
const MAX_OBJECT_BYTES = 50 * 2 ** 20;

/** Number of objects that one request reads at a time. */
const READS_IN_FLIGHT = 8;

/**
 * The minimum number of bytes that a read takes from the allowance, because stores charge for each
 * request.
 */
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
   * @throws what `prepare` and `readPrepared` throw
   */
  async read(located: Located, options: ReadOptions): Promise<Retrieved> {
    const [prepared] = await this.prepare([located], options);
    if (prepared === undefined) throw new RangeError('The object was not prepared.');
    return await this.readPrepared(prepared, options);
  }

  /**
   * Takes the bytes of all objects from the caller's allowance at once. Asks the store for the sizes that the
   * references do not state.
   * @throws KmsCodecError before any request: the reason why the server does not read an object, or
   * `too_large`; afterwards: `storage_not_found`, `storage_unavailable` or `too_large`
   * @throws what `recordObject` and the allowance throw
   */
  prepare(targets: readonly Located[], options: PrepareOptions): Promise<readonly Prepared[]> {
    return this.#counted(() => this.#prepare(targets, options));
  }

  /**
   * Reads an object, and checks its hash.
   * @throws KmsCodecError `storage_not_found`, `storage_altered`, `storage_unavailable` or `too_large`
   * @throws what `hold` and `recordObject` throw
   */
  readPrepared(prepared: Prepared, options: ReadOptions): Promise<Retrieved> {
    return this.#counted(() => this.#read(prepared, options));
  }

  async #counted<T>(operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      if (error instanceof KmsCodecError) this.#storage.meter?.objectFailed(error.code);
      throw error;
    }
  }

  async #prepare(targets: readonly Located[], options: PrepareOptions): Promise<Prepared[]> {
    const { signal } = options;
    const objects = targets.map((located) => {
      if (located instanceof KmsCodecError) throw located;
      return { object: located, maxBytes: checkedSize(Number(located.sizeBytes ?? 0)), isRecorded: false };
    });
    // The request for a size counts like the smallest read, even if no read follows.
    const least = LEAST_CHARGE * objects.filter(({ maxBytes }) => maxBytes === 0).length;
    if (least > 0) await this.#allow(least, signal);
    const sized =
      least === 0
        ? objects
        : await allOrNone(objects, signal, (one, either) => this.#sized(one, either, options));
    const prepared = sized.map((one) => ({ ...one, charged: Math.max(one.maxBytes, LEAST_CHARGE) }));
    const more = prepared.reduce((sum, { charged }) => sum + charged, -least);
    if (more > 0) await this.#allow(more, signal);
    return prepared;
  }

  /** Asks the store for the size of an object unless the reference states it. */
  async #sized(
    one: Omit<Prepared, 'charged'>,
    signal: AbortSignal,
    { recordObject }: Pick<PrepareOptions, 'recordObject'>,
  ): Promise<Omit<Prepared, 'charged'>> {
    const { object, maxBytes: stated } = one;
    if (stated > 0) return one;
    return await this.#reads.run(this.#namespace, signal, async () => {
      await recordObject(auditedObject(object));
      const { objectSize } = await this.#storage.objects.readStart(object, 1, { signal });
      return { object, maxBytes: checkedSize(objectSize ?? MAX_OBJECT_BYTES), isRecorded: true };
    });
  }

  async #read(
    { object, maxBytes, charged, isRecorded }: Prepared,
    { signal, hold, recordObject }: ReadOptions,
  ): Promise<Retrieved> {
    let bytes = 0;
    let least = isRecorded ? LEAST_CHARGE : 0;
    let release: Release | undefined;
    const onProgress = (count: number): void => void (bytes = count);
    try {
      // Takes memory before it waits for its turn, so that no read waits, during its turn, for memory that
      // another read holds.
      release = await hold(maxBytes);
      const payload = await this.#reads.run(this.#namespace, signal, async () => {
        if (!isRecorded) await recordObject(auditedObject(object));
        // If the read fails, the whole size is charged, because the store has done the work even if nothing
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
 * Returns a function that starts the reads of one request in a namespace.
 * @param storage undefined if the server reads no objects
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

/** What a reference states about its object, and the reason code if the server cannot read the object. */
export interface ReferenceInfo {
  readonly stored?: StoredContent;
  /** Undefined if the server can read the object. */
  readonly reason: ReasonCode | undefined;
}

/**
 * Returns what a reference states about its object, without a request to the store; undefined for other
 * payloads.
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

function checkedSize(bytes: number): number {
  if (bytes <= MAX_OBJECT_BYTES) return bytes;
  throw new KmsCodecError(
    'too_large',
    `The reference names an object of ${bytes} bytes; the server reads at most ${MAX_OBJECT_BYTES}`,
  );
}

const auditedObject = ({ type, driverName: driver, bucket, object }: StoredObject): AuditedObject => ({
  type,
  driver,
  bucket,
  object,
});
