import { constants, type Stats } from 'node:fs';
import { lstat, open, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { codeOf, messageOf, propertyOf } from '@temporal-kms/node-utils/error-details';
import { UntrustedFileError } from '@temporal-kms/node-utils/trusted-files';
import { checkLock, isSameFile } from './file-end.ts';

/** A lock that this process holds. */
export interface FileLock {
  /**
   * Returns whether the lock file is still in its place. Once the lock file is removed, another process can create a
   * new one and take the lock.
   */
  isHeld(): Promise<boolean>;
  /** Releases the lock and removes the lock file. */
  release(): Promise<void>;
}

/** Primary result codes of SQLite: https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

/**
 * Returns the path of a file's lock file. The name begins with a dot, so that log rotation patterns do not
 * match it.
 */
const lockPathOf = (path: string): string => join(dirname(path), `.${basename(path)}.lock`);

/**
 * Locks a file for this process: SQLite holds a kernel lock (fcntl(2); LockFileEx on Windows) on an empty
 * lock file next to it. Only users who may write to the lock file can take the lock. The kernel releases the
 * lock when the process ends, even after a crash. ADR 19 has the reasons.
 * @throws Error if another process has locked the file; UntrustedFileError if other users could take the
 *   lock; Node's error, with its `code`
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
    return there !== undefined && isSameFile(there, info);
  };
  try {
    take(database, path);
    // The previous holder removes the lock file before it releases the lock, so this lock may be on a removed file.
    if (!(await isHeld()))
      throw new Error(`The lock ${lockPath} was removed while this process took it; try again.`);
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    isHeld,
    release: async () => {
      // In a read-only folder, the lock file remains, but a lock file alone does not block other processes.
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
      `The lock ${lockPath} cannot be created: ${messageOf(error)}. Let this process write to the folder, or create an ` +
        "empty file there that belongs to the process's user, with mode 0600.",
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

/** Takes SQLite's exclusive lock. The pragma prevents SQLite from creating a journal file. */
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

/** Returns the primary result code of an SQLite error, without the higher bits of extended codes. */
const resultCodeOf = (error: unknown): number => Number(propertyOf(error, 'errcode')) & 0xff;
