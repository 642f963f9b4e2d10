import { KmsCodecError } from '@temporal-kms/kms-codec';
import type { Payload } from '@temporalio/common';
import type { StorageConfiguration, Store } from './configuration.ts';
import {
  type ObjectStart,
  quoted,
  type ReadPayloadOptions,
  readStoredPayload,
  readStoredStart,
  storageError,
  StorageUnavailable,
} from './content.ts';
import { isPlainName } from './layout.ts';
import {
  type ConnectReader,
  type ListedName,
  type ObjectReader,
  type PageRunner,
  ReaderError,
} from './reader.ts';
import { TimeLimitReached, withTimeLimit } from './time-limit.ts';
import { objectUri, type StorageReference, type StorageType } from './reference.ts';

/** Time limit for one read or one page of a listing, in ms. */
const READ_MS = 60_000;

/** An object that a namespace may read. Only `ObjectStorage` creates such objects. */
class LocatedObject {
  readonly #store: Store;
  readonly object: string;
  readonly sha256: string;
  /** Size that the reference or the listing states. */
  readonly sizeBytes: bigint | undefined;

  constructor(store: Store, object: string, sha256: string, sizeBytes: bigint | undefined) {
    this.#store = store;
    this.object = object;
    this.sha256 = sha256;
    this.sizeBytes = sizeBytes;
  }

  get type(): StorageType {
    return this.#store.type;
  }

  get bucket(): string {
    return this.#store.bucket;
  }

  get driverName(): string {
    return this.#store.driverName;
  }

  /** The object's name in messages and in the audit. */
  get name(): string {
    return objectUri(this);
  }

  /** The store's name in messages that may be logged. */
  get store(): string {
    return `the driver ${quoted(this.driverName)} in ${quoted(objectUri({ ...this.#store, object: '' }))}`;
  }

  /** Identifies the location of the store, because two stores can have buckets with the same name. */
  get storeId(): string {
    return placeOf(this.#store);
  }

  static storeOf(located: LocatedObject): Store {
    return located.#store;
  }
}

export type StoredObject = LocatedObject;

const placeOf = ({ type, bucket, region, endpoint, path }: Store): string =>
  JSON.stringify([type, bucket, region, endpoint, path]);

export interface ListedObject extends Pick<ListedName, 'sizeBytes' | 'modified'> {
  readonly object: StoredObject;
}

/** Loads the client for a kind of store only when an object of such a store is first read or listed. */
const readers: Readonly<Record<StorageType, ConnectReader>> = {
  s3: async (store) => new (await import('./s3.ts')).S3Reader(store),
  gcs: async (store) => new (await import('./gcs.ts')).GcsReader(store),
  directory: async (store) => new (await import('./directory.ts')).DirectoryReader(store),
};

export interface ObjectStorageOptions {
  /** Time limit for one read or one page of a listing, in ms. The default is one minute. */
  readonly readMs?: number;
}

/** Reads objects of external storage, if the configuration lets the namespace read them. */
export class ObjectStorage {
  #namespaces: StorageConfiguration['namespaces'];
  readonly #readMs: number;
  readonly #readers = new Map<string, Promise<ObjectReader>>();

  constructor({ namespaces }: StorageConfiguration, options: ObjectStorageOptions = {}) {
    this.#namespaces = namespaces;
    this.#readMs = options.readMs ?? READ_MS;
  }

  /** Replaces the configuration. Objects that {@link locate} has already returned can still be read. */
  use({ namespaces }: StorageConfiguration): void {
    this.#namespaces = namespaces;
  }

  /**
   * Returns the object that a reference names, if the namespace may read the object. Decides only by
   * comparing exact names, and makes no request.
   * @throws KmsCodecError `external_reference` if the namespace has no store for the reference's driver;
   *   `storage_not_allowed` if it has such a store, but may not read that bucket or object
   */
  locate(namespace: string, reference: StorageReference): StoredObject {
    const { driverName, type, bucket, object, sha256, sizeBytes } = reference;
    const stores = this.#namespaces.get(namespace);
    const known = stores?.filter((store) => store.driverName === driverName) ?? [];
    if (known.length === 0)
      throw new KmsCodecError(
        'external_reference',
        stores === undefined
          ? `No store is configured for the namespace ${quoted(namespace)}`
          : `No store is configured for the driver ${quoted(driverName)} in namespace ${quoted(namespace)}`,
      );
    // Go's driver for Cloud Storage writes the same claims as the driver for S3.
    const types = type === 's3' ? ['s3', 'gcs'] : [type];
    const store = known.find((one) => types.includes(one.type) && one.bucket === bucket);
    if (store && isPlainName(object) && store.prefixes.some((prefix) => object.startsWith(prefix)))
      return new LocatedObject(store, object, sha256, sizeBytes);
    throw new KmsCodecError(
      'storage_not_allowed',
      `The namespace ${quoted(namespace)} may not read the object ${quoted(object)} in ${quoted(bucket)}: ` +
        (store ? 'no prefix of that bucket matches' : 'the bucket is not configured for it'),
    );
  }

  /**
   * Reads an object, compares the hash of its bytes with the reference, and returns the object's payload.
   * @throws KmsCodecError `storage_not_found`, `storage_unavailable`, `storage_altered` or `too_large`; the
   *   signal's reason
   */
  async read(located: StoredObject, options: ReadPayloadOptions): Promise<Payload> {
    return await this.#run(located, options.signal, (reader, signal) =>
      readStoredPayload(reader, located, { ...options, signal }),
    );
  }

  /**
   * Returns at most the first `bytes` bytes of an object, without a check of its hash.
   * @throws KmsCodecError `storage_not_found` or `storage_unavailable`; the signal's reason
   */
  async readStart(
    located: StoredObject,
    bytes: number,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<ObjectStart> {
    return await this.#run(located, signal, (reader, limited) =>
      readStoredStart(reader, located, bytes, limited),
    );
  }

  /**
   * Yields the objects that a namespace may read in all its stores.
   * @throws KmsCodecError `storage_unavailable`; the signal's reason
   */
  async *list(
    namespace: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<ListedObject, void> {
    const inTime: PageRunner = (request) => withTimeLimit(signal, this.#readMs, request);
    for (const store of this.#namespaces.get(namespace) ?? []) {
      const place = `The list of ${quoted(objectUri({ ...store, object: '' }))}`;
      try {
        const reader = await this.#reader(store);
        for (const prefix of store.prefixes) {
          for await (const { object, sizeBytes, modified } of reader.list(prefix, inTime)) {
            signal.throwIfAborted();
            const sha256 = /\/d\/sha256\/([0-9a-f]{64})$/.exec(object)?.[1];
            if (sha256 === undefined || !isPlainName(object)) continue;
            yield {
              object: new LocatedObject(store, object, sha256, BigInt(sizeBytes)),
              sizeBytes,
              modified,
            };
          }
        }
      } catch (error) {
        signal.throwIfAborted();
        const isAbsent = error instanceof ReaderError && error.code === 'not_found';
        throw storageError(
          place,
          isAbsent ? new ReaderError('unavailable', 'the bucket does not exist') : error,
        );
      }
    }
  }

  /** Closes the connections. */
  async close(): Promise<void> {
    const open = await Promise.allSettled(this.#readers.values());
    this.#readers.clear();
    for (const one of open) if (one.status === 'fulfilled') one.value.close();
  }

  async #run<T>(
    located: StoredObject,
    signal: AbortSignal,
    operation: (reader: ObjectReader, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    try {
      return await withTimeLimit(signal, this.#readMs, async (limited) =>
        operation(await this.#reader(LocatedObject.storeOf(located)), limited),
      );
    } catch (error) {
      if (!(error instanceof TimeLimitReached)) throw error;
      throw new StorageUnavailable(
        `The stored object ${quoted(located.name)}`,
        `it did not arrive within ${this.#readMs / 1000} s`,
        `A stored object of ${located.store}`,
      );
    }
  }

  #reader(store: Store): Promise<ObjectReader> {
    const key = placeOf(store);
    let reader = this.#readers.get(key);
    if (reader === undefined) {
      reader = readers[store.type](store);
      reader.catch(() => this.#readers.delete(key));
      this.#readers.set(key, reader);
    }
    return reader;
  }
}
