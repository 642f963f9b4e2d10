import { constants } from 'node:fs';
import { lstat, open, opendir, readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { codeOf } from '@temporal-kms/node-utils/error-details';
import type { Store } from './configuration.ts';
import {
  type ListedName,
  type ObjectReader,
  type OpenObject,
  ReaderError,
  type ReadOptions,
} from './reader.ts';

const CHUNK_BYTES = 256 * 1024;

/** Reads the objects that `DirectoryDriver` stores. Follows no symbolic link below the directory. */
export class DirectoryReader implements ObjectReader {
  readonly #path: string;

  constructor({ path = '' }: Pick<Store, 'path'>) {
    this.#path = path;
  }

  async open(object: string, { bytes = Infinity, signal }: ReadOptions): Promise<OpenObject> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await explained(async () => open(await this.#pathOf(object), flags));
    const info = await file.stat();
    if (!info.isFile()) {
      await file.close();
      throw new ReaderError('unavailable', 'it is not a regular file');
    }
    const length = Math.min(info.size, bytes);
    const options = { start: 0, highWaterMark: CHUNK_BYTES, signal, ...(length > 0 && { end: length - 1 }) };
    return { size: length, objectSize: info.size, content: file.createReadStream(options) };
  }

  async *list(prefix: string): AsyncGenerator<ListedName, void> {
    const folder = await ifExists(async () => opendir(await this.#pathOf(prefix.slice(0, -1))));
    if (folder === undefined) return;
    for await (const entry of folder) {
      const object = prefix + entry.name;
      if (entry.isDirectory()) yield* this.list(`${object}/`);
      if (!entry.isFile()) continue;
      const info = await ifExists(() => lstat(join(folder.path, entry.name)));
      if (info) yield { object, sizeBytes: info.size, modified: info.mtime };
    }
  }

  close(): void {}

  /**
   * @throws ReaderError if the name leads outside the directory, or if a link inside the directory could lead
   *   to an object of another namespace
   */
  async #pathOf(name: string): Promise<string> {
    const root = await this.#root();
    const path = join(root, name);
    if (!path.startsWith(join(root, sep))) throw new ReaderError('unavailable', 'its path leads outside');
    if ((await realpath(path)) !== path)
      throw new ReaderError('unavailable', 'its path contains a symbolic link');
    return path;
  }

  /**
   * @throws ReaderError if the directory is missing or empty, because its volume may not be mounted. Objects
   *   in the directory are then reported as unavailable instead of missing.
   */
  async #root(): Promise<string> {
    try {
      const root = await realpath(this.#path);
      if ((await readdir(root)).length > 0) return root;
    } catch (cause) {
      throw new ReaderError('unavailable', `the directory cannot be read (${codeOf(cause)})`, { cause });
    }
    throw new ReaderError('unavailable', 'the directory is empty, as if its volume were not mounted');
  }
}

/** Returns undefined if the file or folder does not exist, because it can be deleted during a listing. */
const ifExists = <T>(operation: () => Promise<T>): Promise<T | undefined> =>
  explained(operation).catch((error: unknown) => {
    if (error instanceof ReaderError && error.code === 'not_found') return undefined;
    throw error;
  });

async function explained<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    if (cause instanceof ReaderError) throw cause;
    const code = codeOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG')
      throw new ReaderError('not_found', 'the file does not exist', { cause });
    throw new ReaderError('unavailable', `the file cannot be opened (${code ?? 'unknown error'})`, { cause });
  }
}
