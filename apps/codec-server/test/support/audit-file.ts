import { readdir, readlink } from 'node:fs/promises';
import { type AuditFile, type AuditFileOptions, newInstance, openAuditFile } from '@temporal-kms/audit';
import { keptLog } from './kept-log.ts';

/** Opens an audit file as a separate process would. */
export const auditFileAt = (path: string, options: Partial<AuditFileOptions> = {}): Promise<AuditFile> =>
  openAuditFile(path, { instance: newInstance(), log: keptLog().log, ...options });

/**
 * Returns the paths of the files in a folder that this process has open. On systems other than Linux, returns
 * an empty list.
 */
export async function openFilesIn(folder: string): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
  return (await Promise.all(links)).filter((file) => file.startsWith(`${folder}/`));
}
