import { join } from 'node:path';
import { builtOncePerRun } from '@temporal-kms/scripts/once-per-run';

export interface Built {
  /** A folder outside the repository that contains only the programs. */
  readonly folder: string;
  /** The file of the command-line tool. */
  readonly cli: string;
  /** The folder of the scan worker. */
  readonly worker: string;
}

export async function buildPrograms(): Promise<Built> {
  const folder = await builtOncePerRun('key-admin');
  return { folder, cli: join(folder, 'main.mjs'), worker: join(folder, 'scan-worker') };
}
