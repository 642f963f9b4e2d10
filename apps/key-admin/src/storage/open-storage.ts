import { ObjectStorage, readStorageFile, type StorageConfiguration } from '@temporal-kms/payload-storage';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { CliError } from '../cli/cli-error.ts';
import { quote } from '../cli/quote.ts';

/** The option that names the file with the external storage of each namespace. */
export const EXTERNAL_STORAGE = '--external-storage <file>';

/** Reads the storage file that the option names. @throws CliError that lists every mistake in the file */
export function readStorage(file: string): StorageConfiguration {
  if (/^\w+:\/\//.test(file))
    throw new CliError('usage', `--external-storage needs a file that lists buckets, and ${file} is a URL`, [
      '--external-storage storage.yaml',
    ]);
  try {
    return readStorageFile(file, '--external-storage');
  } catch (error) {
    throw new CliError('configuration', messageOf(error).split('\n'), [`$EDITOR ${quote(file)}`], error);
  }
}

/**
 * Calls `use` with the external storage that a file names, and then closes the storage.
 * @param file undefined if the option was not given
 * @throws CliError if the file has mistakes
 */
export async function withStorage<T>(
  file: string | undefined,
  use: (storage: ObjectStorage | undefined) => Promise<T>,
): Promise<T> {
  if (file === undefined) return await use(undefined);
  const storage = new ObjectStorage(readStorage(file));
  try {
    return await use(storage);
  } finally {
    await storage.close();
  }
}
