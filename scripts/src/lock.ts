import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Runs `work` while this process holds the lock `file`. Waits for another process that holds the lock.
 *
 * The lock file contains its holder's process id. A waiter removes the lock of a process that has ended. Two
 * waiters can remove the lock at the same time, so it must be safe to run `work` twice (our callers end with
 * an atomic rename). The lock only avoids a second download, and does not protect data.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  let lock: Lock | undefined;
  while (!(lock = await tryLock(file))) await sleep(200);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

export interface Lock {
  release(): Promise<void>;
}

/** Takes the lock. Returns undefined if another running process holds the lock. */
export async function tryLock(file: string): Promise<Lock | undefined> {
  const holder = Number(await readFile(file, 'utf8').catch(() => ''));
  if (holder > 0 && !isAlive(holder)) await rm(file, { force: true });
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(String(process.pid));
    await handle.close();
    return { release: () => rm(file, { force: true }) };
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return undefined;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
