import type { Bucket, Storage, StorageOptions } from '@google-cloud/storage';
import { codeOf, propertyOf } from '@temporal-kms/node-utils/error-details';
import {
  ABSENT,
  type BranchKeyStore,
  type BranchKeyStoreCode,
  BranchKeyStoreError,
  MAX_VALUE_BYTES,
  type StoredValue,
} from './store.ts';

export interface GcsBranchKeyStoreOptions {
  readonly bucket: string;
  /** Prefix of the objects' names, without a trailing `/`. If empty, the names have no prefix. */
  readonly prefix: string;
  /** URL of a server other than Google's, for tests. */
  readonly apiEndpoint?: string | undefined;
}

/** Deadline of one request, in ms. The client's default is 60 s. */
const REQUEST_MS = 5_000;
/**
 * Maximum number of attempts to read an object. An attempt fails if another process replaces the object
 * between the two requests.
 */
const MAX_READS = 3;

/**
 * Stores values as objects in a bucket of Google Cloud Storage. `ifGenerationMatch` makes `replace` atomic.
 * The first call loads `@google-cloud/storage`, an optional peer dependency.
 */
export class GcsBranchKeyStore implements BranchKeyStore {
  readonly #options: GcsBranchKeyStoreOptions;
  #bucket: Promise<Bucket> | undefined;

  constructor(options: GcsBranchKeyStoreOptions) {
    this.#options = options;
  }

  async load(id: string): Promise<StoredValue | undefined> {
    return await this.#run(async (bucket) => {
      for (let reads = 1; ; reads += 1) {
        const found = await absentAsUndefined(bucket.file(this.#name(id)).getMetadata());
        if (found === undefined) return undefined;
        const { generation, size } = found[0];
        if (Number(size) > MAX_VALUE_BYTES)
          return { value: new Uint8Array(), generation: String(generation) };
        const pinned = bucket.file(this.#name(id), { generation: String(generation) });
        const content = await absentAsUndefined(pinned.download());
        if (content) return { value: content[0], generation: String(generation) };
        if (reads === MAX_READS) {
          throw new BranchKeyStoreError(
            'unavailable',
            'Other processes replaced the object during each attempt to read it',
          );
        }
      }
    });
  }

  async replace(id: string, value: Uint8Array, expected: string): Promise<boolean> {
    return await this.#run(async (bucket) => {
      try {
        await bucket
          .file(this.#name(id))
          .save(Buffer.from(value), {
            resumable: false,
            preconditionOpts: { ifGenerationMatch: expected === ABSENT ? 0 : expected },
            metadata: { cacheControl: 'no-store' },
          });
        return true;
      } catch (error) {
        if (statusOf(error) === PRECONDITION_FAILED) return false;
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    // Nothing to close, because idle connections do not keep the process running.
  }

  #name(id: string): string {
    const { prefix } = this.#options;
    return `${prefix === '' ? '' : `${prefix}/`}${id}.json`;
  }

  async #run<T>(operation: (bucket: Bucket) => Promise<T>): Promise<T> {
    const { bucket: name, apiEndpoint } = this.#options;
    try {
      this.#bucket ??= connect({ apiEndpoint }).then((storage) => storage.bucket(name));
      return await operation(await this.#bucket);
    } catch (error) {
      if (error instanceof BranchKeyStoreError) throw error;
      throw requestError(name, error);
    }
  }
}

async function connect({ apiEndpoint }: Pick<GcsBranchKeyStoreOptions, 'apiEndpoint'>): Promise<Storage> {
  const options: StorageOptions = {
    timeout: REQUEST_MS,
    // Disables the client's retries, which would hide how long the store has been unresponsive. The
    // caller retries.
    retryOptions: { autoRetry: false, maxRetries: 0 },
    ...(apiEndpoint !== undefined && { apiEndpoint }),
  };
  try {
    // The import is inside `try`, so that bundlers accept that the package may not be installed.
    const { Storage: StorageClass } = await import('@google-cloud/storage');
    return new StorageClass(options);
  } catch (cause) {
    throw new BranchKeyStoreError(
      'not_installed',
      'KMS_BRANCH_KEYS names a bucket, but @google-cloud/storage cannot be loaded: install it next to this library',
      { cause },
    );
  }
}

const UNAUTHORIZED = 401;
const FORBIDDEN = 403;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 412;

/** Returns a response's HTTP status, or a network error's code. */
const statusOf = (error: unknown): number | string | undefined => {
  const code = propertyOf(error, 'code');
  return typeof code === 'number' ? code : codeOf(error);
};

async function absentAsUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (statusOf(error) === NOT_FOUND) return undefined;
    throw error;
  }
}

/** Maps an error by its status, not by its text, which can contain parts of the response. */
function requestError(bucket: string, cause: unknown): BranchKeyStoreError {
  const status = statusOf(cause);
  const fail = (code: BranchKeyStoreCode, problem: string) =>
    new BranchKeyStoreError(code, `The bucket ${bucket} cannot be used: ${problem}`, { cause });
  if (status === UNAUTHORIZED || status === FORBIDDEN) {
    return fail('not_permitted', `status ${status}; this identity needs roles/storage.objectUser`);
  }
  // Stryker disable next-line ConditionalExpression,EqualityOperator: affects only the message.
  if (status === NOT_FOUND) return fail('unavailable', 'it does not exist');
  // Stryker disable next-line ConditionalExpression,EqualityOperator: affects only the message.
  const problem = status === undefined ? 'no response, or no credentials' : `status ${status}`;
  return fail('unavailable', problem);
}
