import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { oncePerRun } from '@temporal-kms/scripts/once-per-run';

const root = join(import.meta.dirname, '..', '..');

/** tsdown's own executable, without its shell wrapper. */
const TSDOWN = 'node_modules/tsdown/dist/run.mjs';

export interface Built {
  /** A folder outside the repository that contains only the programs. */
  readonly folder: string;
  /** The file of the command-line tool. */
  readonly cli: string;
  /** The folder of the scan worker. */
  readonly worker: string;
}

export async function buildPrograms(): Promise<Built> {
  const folder = await oncePerRun('key-admin', async (built) => {
    await promisify(execFile)(process.execPath, [TSDOWN, '--out-dir', built], { cwd: root });
  });
  return { folder, cli: join(folder, 'main.mjs'), worker: join(folder, 'scan-worker') };
}
