import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Payload, type StorageDriver, StorageDriverClaim } from '@temporalio/common';
import proto from '@temporalio/proto';
import { readStoredPayload } from './content.ts';
import { DirectoryReader } from './directory.ts';
import { objectName, type StorageTarget } from './layout.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

export interface DirectoryDriverOptions {
  /** The directory, in which the driver creates folders. */
  readonly path: string;
  /** The name that the claims contain instead of the path, because the path differs between machines. */
  readonly bucket: string;
  /** The driver's name. The default is the driver's type. */
  readonly driverName?: string;
}

/**
 * A driver for Temporal's external storage that keeps payloads in a directory, in the layout of Temporal's
 * drivers. This class is an example of a driver, and is intended for development. The driver never deletes
 * payloads.
 */
export class DirectoryDriver implements StorageDriver {
  readonly type = 'temporal-kms.directory';
  readonly name: string;
  readonly #path: string;
  readonly #bucket: string;
  readonly #reader: DirectoryReader;

  constructor({ path, bucket, driverName }: DirectoryDriverOptions) {
    this.name = driverName ?? this.type;
    this.#path = path;
    this.#bucket = bucket;
    this.#reader = new DirectoryReader({ path });
  }

  async store(
    { target }: { readonly target?: StorageTarget },
    payloads: Payload[],
  ): Promise<StorageDriverClaim[]> {
    return await Promise.all(payloads.map((payload) => this.#store(target, payload)));
  }

  async retrieve(
    { abortSignal = new AbortController().signal }: { readonly abortSignal?: AbortSignal },
    claims: StorageDriverClaim[],
  ): Promise<Payload[]> {
    const read = async ({ claimData: { file = '', hashValue: sha256 = '' } }: StorageDriverClaim) =>
      await readStoredPayload(this.#reader, { object: file, sha256, name: file }, { signal: abortSignal });
    return await Promise.all(claims.map(read));
  }

  async #store(target: StorageTarget | undefined, payload: Payload): Promise<StorageDriverClaim> {
    const bytes = PayloadMessage.encode(payload).finish();
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const file = objectName(target, sha256);
    const path = join(this.#path, file);
    await mkdir(dirname(path), { recursive: true });
    // The complete file is renamed, so that a reader never sees an incomplete file.
    const unfinished = `${path}.${crypto.randomUUID()}`;
    // The group may read the file, because a process that reads payloads as another user can be in the
    // directory's group.
    await writeFile(unfinished, bytes, { mode: 0o640 });
    await rename(unfinished, path);
    return new StorageDriverClaim({ bucket: this.#bucket, file, hashAlgorithm: 'sha256', hashValue: sha256 });
  }
}
