import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/**
 * Closes a part of the test setup after all tests of the file. Parts are closed in reverse order of the
 * calls.
 * @returns the part
 */
export function forFile<T extends { close(graceMs: number): unknown } | AsyncDisposable>(part: T): T {
  afterAll(async () => void (await ('close' in part ? part.close(1_000) : part[Symbol.asyncDispose]())));
  return part;
}

/** Returns a new folder, which is removed after the tests of the file. */
export async function folderForFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'codec-server-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
