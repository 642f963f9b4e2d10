import { execFile, execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from '@temporal-kms/node-utils/error-details';
import type { OpenStore } from '../stores.ts';

const run = promisify(execFile);
const DISK_BYTES = 256 * 1024;

/** A directory of branch keys, on a separate small disk if this process may mount one. */
export interface RandomStore extends OpenStore {
  /** `undefined` if this process may not mount a file system. Only root may mount one. */
  readonly disk?: { fill(): Promise<void>; free(): Promise<void> };
  /** Makes a copy of the directory. */
  backUp(): Promise<void>;
  delete(): Promise<void>;
  /** Replaces the directory's content with the most recent copy. */
  restore(): Promise<void>;
}

export async function openRandomStore(): Promise<RandomStore> {
  const folder = await mkdtemp(join(tmpdir(), 'branch-keys-'));
  const volume = join(folder, 'volume');
  await mkdir(volume, { mode: 0o700 });
  const isMounted = await mount(volume);
  const directory = join(volume, 'keys');
  await mkdir(directory, { mode: 0o700 });
  const filler = join(volume, 'filler');
  const deleteAll = () => rm(directory, { recursive: true, force: true, maxRetries: 5 });
  const unmount = () => execFileSync('umount', [volume]);
  // Unmounts even if a signal ends the benchmark, because the mounted file system would otherwise remain.
  if (isMounted) process.once('exit', unmount);
  let copy = new Map<string, Buffer>();
  return {
    env: { KMS_BRANCH_KEYS: `file:${directory}` },
    backUp: async () => {
      const files = new Map<string, Buffer>();
      for (const name of await readdir(directory).catch(absent)) {
        const body = name.endsWith('.json') ? await readFile(join(directory, name)).catch(absent) : [];
        if (Buffer.isBuffer(body)) files.set(name, body);
      }
      if (files.size > 0) copy = files;
    },
    delete: deleteAll,
    restore: async () => {
      await deleteAll();
      await mkdir(directory, { mode: 0o700, recursive: true });
      for (const [name, body] of copy) {
        // Replaces the file atomically, because a process that reads an empty file would be another kind of
        // fault.
        const written = join(volume, name);
        await writeFile(written, body, { mode: 0o600 });
        await rename(written, join(directory, name));
      }
    },
    ...(isMounted && {
      disk: {
        fill: async () => {
          await writeFile(filler, Buffer.alloc(DISK_BYTES)).catch((error: unknown) => {
            if (codeOf(error) !== 'ENOSPC') throw error;
          });
        },
        free: () => rm(filler, { force: true }),
      },
    }),
    close: async () => {
      if (isMounted) {
        process.off('exit', unmount);
        unmount();
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function mount(path: string): Promise<boolean> {
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=700`, 'tmpfs', path]);
    return true;
  } catch {
    return false;
  }
}

/** Ignores a missing file or directory, because a process may replace files at any time. */
function absent(error: unknown): [] {
  if (codeOf(error) !== 'ENOENT') throw error;
  return [];
}
