import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  checkTrustedFolder,
  openTrustedFile,
  UntrustedFileError,
} from '@temporal-kms/node-utils/trusted-files';
import { codeOf } from '@temporal-kms/node-utils/error-details';
import {
  ABSENT,
  type BranchKeyStore,
  type BranchKeyStoreCode,
  BranchKeyStoreError,
  MAX_VALUE_BYTES,
  type StoredValue,
} from './store.ts';

/**
 * The store keeps this many generations of each value, so that a process that was suspended notices that its
 * own generation is outdated.
 */
const KEPT = 4;
/**
 * Age, in ms, after which an unfinished file is removed. A process that ends during a write leaves an
 * unfinished file.
 */
const UNFINISHED_MS = 3_600_000;
/**
 * Maximum number of attempts to read a value. An attempt fails if another process removes the generation
 * between the listing and the read.
 */
const MAX_READS = 4;

const ID = /^[0-9a-f-]+$/;
const UNFINISHED = /^\.[0-9a-f-]+\.tmp$/;

/**
 * Stores values in a directory that several processes use. The directory is on one machine, or on a shared
 * volume with hard links (NFS).
 *
 * Each generation of a value is a separate file, `ID.GENERATION.json`. The store writes the file under
 * another name and then links it. link(2) fails if another process has already created the generation,
 * whereas a rename would overwrite the other process's file. Therefore, no process can leave a lock behind,
 * and a file is complete as soon as its name exists.
 */
export class FileBranchKeyStore implements BranchKeyStore {
  readonly #directory: string;

  /** @param directory absolute path. Created with mode 0700 if it does not exist; its parent must exist */
  constructor(directory: string) {
    this.#directory = directory;
  }

  async load(id: string): Promise<StoredValue | undefined> {
    return await this.#run(async () => {
      for (let reads = 1; ; reads += 1) {
        const generation = (await this.#generations(id)).at(-1);
        if (generation === undefined) return undefined;
        try {
          return { value: await readTrusted(this.#path(id, generation)), generation: String(generation) };
        } catch (error) {
          if (codeOf(error) !== 'ENOENT' || reads === MAX_READS) throw error;
        }
      }
    });
  }

  async replace(id: string, value: Uint8Array, expected: string): Promise<boolean> {
    return await this.#run(async () => {
      const current = (await this.#generations(id)).at(-1);
      if ((current === undefined ? ABSENT : String(current)) !== expected) return false;
      const next = (current ?? 0) + 1;
      const path = this.#path(id, next);
      if (!(await this.#create(path, value))) return false;
      const generations = await this.#generations(id);
      if (generations.at(-1) !== next) {
        // While this process was suspended, other processes replaced the value several times and removed
        // older generations.
        await unlink(path).catch(ignoreAbsent);
        return false;
      }
      await this.#clean(id, generations.slice(0, -KEPT));
      return true;
    });
  }

  async close(): Promise<void> {
    // Nothing to close, because no file stays open.
  }

  #path(id: string, generation: number): string {
    return join(this.#directory, `${id}.${generation}.json`);
  }

  /** Returns a value's existing generations, in ascending order. */
  async #generations(id: string): Promise<number[]> {
    if (!ID.test(id)) throw new BranchKeyStoreError('malformed', "A stored value's id is malformed");
    const generations: number[] = [];
    for (const name of await readdir(this.#directory)) {
      if (!name.startsWith(`${id}.`)) continue;
      const digits = /^\.([1-9]\d{0,14})\.json$/.exec(name.slice(id.length))?.[1];
      if (digits !== undefined) generations.push(Number(digits));
    }
    return generations.toSorted((a, b) => a - b);
  }

  /** Creates a complete file. Returns false if a file with this name exists. */
  async #create(path: string, value: Uint8Array): Promise<boolean> {
    const unfinished = join(this.#directory, `.${randomBytes(16).toString('hex')}.tmp`);
    try {
      const file = await open(unfinished, 'wx', 0o600);
      try {
        await file.writeFile(value);
        await file.sync();
      } finally {
        await file.close();
      }
      await link(unfinished, path);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    } finally {
      await unlink(unfinished).catch(ignoreAbsent);
    }
  }

  /** Removes old generations, and unfinished files that processes left behind. */
  async #clean(id: string, generations: readonly number[]): Promise<void> {
    const old = generations.map((generation) => this.#path(id, generation));
    for (const name of await readdir(this.#directory)) {
      if (!UNFINISHED.test(name)) continue;
      const path = join(this.#directory, name);
      const info = await lstat(path).catch(ignoreAbsent);
      if (info && Date.now() - info.mtimeMs > UNFINISHED_MS) old.push(path);
    }
    for (const path of old) await unlink(path).catch(ignoreAbsent);
  }

  /** Checks that other users cannot write to the directory, then runs an operation in it. */
  async #run<T>(operation: () => Promise<T>): Promise<T> {
    try {
      await mkdir(this.#directory, { mode: 0o700 }).catch((error: unknown) => {
        if (codeOf(error) !== 'EEXIST' && codeOf(error) !== 'EROFS') throw error;
      });
      await checkTrustedFolder(this.#directory);
      return await operation();
    } catch (error) {
      throw storeError(this.#directory, error);
    }
  }
}

/** Reads a file up to one byte more than the maximum size of a value. */
async function readTrusted(path: string): Promise<Uint8Array> {
  const { handle } = await openTrustedFile(path, constants.O_RDONLY);
  try {
    const bytes = new Uint8Array(MAX_VALUE_BYTES + 1);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

const codes: Readonly<Record<string, BranchKeyStoreCode>> = {
  EACCES: 'not_permitted',
  EPERM: 'not_permitted',
  EROFS: 'not_permitted',
};

function storeError(directory: string, error: unknown): BranchKeyStoreError {
  if (error instanceof BranchKeyStoreError) return error;
  if (error instanceof UntrustedFileError)
    return new BranchKeyStoreError('untrusted', error.message, { cause: error });
  const code = codeOf(error) ?? 'unknown';
  return new BranchKeyStoreError(
    codes[code] ?? 'unavailable',
    `The directory ${directory} cannot be used: ${code}`,
    { cause: error },
  );
}

/** Rethrows an error, unless it means that the file does not exist. */
function ignoreAbsent(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}
