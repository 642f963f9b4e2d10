import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Stats } from 'node:fs';
import { codeOf } from '../errors.ts';

/** Gives the file free for another process. */
export type Unlock = () => Promise<void>;

/**
 * Takes a file for this process alone, as long as it lives: by a socket of Linux's abstract namespace that is named after
 * the file, which ends with the process and leaves nothing behind. Elsewhere, and between machines or network namespaces
 * that share a file system, it excludes nobody; there another writer is noticed by the file's size.
 * @throws Error when another process has it
 */
export async function lockFile(path: string, { dev, ino }: Pick<Stats, 'dev' | 'ino'>): Promise<Unlock> {
  if (process.platform !== 'linux') return async () => undefined;
  const server = createServer((socket) => socket.destroy()).unref();
  try {
    await once(server.listen(`\0temporal-kms/audit/${dev}:${ino}`), 'listening');
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw error;
    throw new Error(`Another process writes to ${path}: give each process a file of its own.`, {
      cause: error,
    });
  }
  return async () => {
    server.close();
    await once(server, 'close');
  };
}
