import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { codeOf } from '@temporal-kms/kms-codec/error-details';

/**
 * Refuses a file or folder that another user owns or can write: a user who changes what a scan keeps could make a person destroy
 * a key version that is needed. What does not exist passes. Windows has no such owners and modes.
 * @throws Error
 */
export async function checkOwnFile(path: string): Promise<void> {
  const user = process.getuid?.();
  const found: Stats | undefined = await stat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined || user === undefined) return;
  if (found.uid !== user) throw new Error(`${path} is owned by another user`);
  if ((found.mode & 0o022) !== 0)
    throw new Error(`${path} can be written by its group or by others: run chmod go-w`);
}
