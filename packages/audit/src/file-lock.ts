import { constants, type Stats } from 'node:fs';
import { lstat, open, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { codeOf, messageOf } from '@temporal-kms/node-utils/error-details';
import { UntrustedFileError } from '@temporal-kms/node-utils/trusted-files';
import { checkLock } from './file-end.ts';

/** A lock that this process holds. */
export interface FileLock {
  /** Returns whether the lock's file still exists: after its removal, another process can take the lock. */
  isHeld(): Promise<boolean>;
  /** Releases the lock and removes its file. */
  release(): Promise<void>;
}

/** Primary result codes of SQLite: https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

/** Returns the path of a file's lock: the name begins with a dot, so that patterns of log rotation do not match it. */
const lockPathOf = (path: string): string => join(dirname(path), `.${basename(path)}.lock`);

/**
 * Locks a file for this process by an empty file next to it, on which SQLite holds a lock of the kernel (fcntl(2); on
 * Windows LockFileEx). Only a user who may write the lock's file can take the lock, and the kernel releases it with the
 * process, however that ends. ADR 19 has the reasons.
 * @throws Error when another process has locked the file; UntrustedFileError when other users could take the lock; Node's
 *   error, with its `code`
 */
export async function lockFile(path: string): Promise<FileLock> {
  const lockPath = lockPathOf(path);
  await createIfMissing(lockPath);
  const info = await lstat(lockPath);
  checkLockFile(lockPath, info);
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(lockPath);
  const isHeld = async (): Promise<boolean> => {
    const there = await lstat(lockPath).catch(() => undefined);
    return there !== undefined && there.ino === info.ino && there.dev === info.dev;
  };
  try {
    take(database, path);
    // The process that had the lock removes the file before it releases the lock.
    if (!(await isHeld()))
      throw new Error(`The lock ${lockPath} was removed while this process took it; try again.`);
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    isHeld,
    release: async () => {
      // If the folder is not writable, the file stays, which hinders no process.
      if (await isHeld()) await unlink(lockPath).catch(() => undefined);
      database.close();
    },
  };
}

async function createIfMissing(lockPath: string): Promise<void> {
  try {
    const handle = await open(lockPath, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600);
    await handle.close();
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    throw new Error(
      `The lock ${lockPath} cannot be created: ${messageOf(error)}. Let this process write to the folder, or create the ` +
        'lock: an empty file with the owner of the process and mode 0600.',
      { cause: error },
    );
  }
}

function checkLockFile(lockPath: string, info: Stats): void {
  if (!info.isFile() || info.size > 0) {
    throw new UntrustedFileError(`${lockPath} is not an empty regular file; remove it.`);
  }
  checkLock(lockPath, info);
}

/** Takes SQLite's exclusive lock, and writes nothing: without the pragma, SQLite would create a journal. */
function take(database: DatabaseSync, path: string): void {
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    const isTaken = [SQLITE_BUSY, SQLITE_LOCKED].includes(resultCodeOf(error));
    throw new Error(
      isTaken
        ? `Another process writes to ${path}: give each process a separate file.`
        : `The lock ${lockPathOf(path)} cannot be taken: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** Returns the primary result code of an error of SQLite. Its extended codes contain more in the higher bits. */
function resultCodeOf(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : 0;
}
