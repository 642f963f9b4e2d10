import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConvertingOptions } from '@temporal-kms/kms-codec';
import { ExternalStorage, StorageDriverClaim, type Payload, type StorageDriver } from '@temporalio/common';
import { temporal } from '@temporalio/proto';

const PayloadMessage = temporal.api.common.v1.Payload;

/** A driver for external storage that keeps each payload in a file named by the payload's hash. */
export class FileStorage implements StorageDriver {
  readonly name = 'files';
  readonly type = 'test.files';
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  store(_context: unknown, payloads: Payload[]): Promise<StorageDriverClaim[]> {
    return Promise.all(
      payloads.map(async (payload) => {
        const bytes = PayloadMessage.encode(payload).finish();
        const file = createHash('sha256').update(bytes).digest('hex');
        await writeFile(join(this.#dir, file), bytes);
        return new StorageDriverClaim({ file });
      }),
    );
  }

  retrieve(_context: unknown, claims: StorageDriverClaim[]): Promise<Payload[]> {
    return Promise.all(
      claims.map(async ({ claimData }) =>
        PayloadMessage.decode(await readFile(join(this.#dir, claimData['file'] ?? ''))),
      ),
    );
  }

  /** Returns the content of every file. */
  async files(): Promise<Buffer[]> {
    return Promise.all((await readdir(this.#dir)).map((file) => readFile(join(this.#dir, file))));
  }

  /** Returns the payload of every file. */
  async payloads(): Promise<Payload[]> {
    return (await this.files()).map((bytes) => PayloadMessage.decode(bytes));
  }
}

/** A plugin for clients and workers that stores payloads above Temporal's default threshold, 256 KiB, with the driver. */
export function storagePlugin(driver: StorageDriver) {
  const withStorage = <T extends ConvertingOptions>(options: T): T => ({
    ...options,
    dataConverter: { ...options.dataConverter, externalStorage: new ExternalStorage({ drivers: [driver] }) },
  });
  return {
    name: 'external storage',
    configureClient: withStorage,
    configureWorker: withStorage,
    configureReplayWorker: withStorage,
  };
}
