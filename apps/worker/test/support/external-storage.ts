import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConvertingOptions } from '@temporal-kms/kms-codec';
import { ExternalStorage, type StorageDriver } from '@temporalio/common';

/** Returns the content of every file at any depth in a directory. */
export async function filesIn(directory: string): Promise<Buffer[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return await Promise.all(files.map(({ parentPath, name }) => readFile(join(parentPath, name))));
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
