import { constants } from 'node:fs';
import { open, opendir, realpath, stat } from 'node:fs/promises';
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
    const file = await explained(async () => {
      const path = await realpath(join(this.#path, object));
      // A link inside the directory could lead to an object of another namespace.
      if (path !== join(await realpath(this.#path), object))
        throw new ReaderError('unavailable', 'its path contains a symbolic link');
      return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    });
    const info = await file.stat();
    if (!info.isFile()) {
      await file.close();
      throw new ReaderError('unavailable', 'it is not a regular file');
    }
    const length = Math.min(info.size, bytes);
    const options = { start: 0, highWaterMark: CHUNK_BYTES, signal, ...(length > 0 && { end: length - 1 }) };
    return { size: length, content: file.createReadStream(options) };
  }

  async *list(prefix: string): AsyncGenerator<ListedName, void> {
    const folder = await explained(() => opendir(join(this.#path, prefix), { recursive: true })).catch(
      (error: unknown) => {
        if (error instanceof ReaderError && error.code === 'not_found') return undefined;
        throw error;
      },
    );
    if (folder === undefined) return;
    for await (const entry of folder) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const info = await explained(() => stat(path));
      const object = path.slice(this.#path.length + 1).replaceAll(sep, '/');
      yield { object, sizeBytes: info.size, modified: info.mtime };
    }
  }

  close(): void {}
}

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
