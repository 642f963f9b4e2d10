import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { oncePerRun } from '@temporal-kms/scripts/once-per-run';

const root = join(import.meta.dirname, '..', '..');

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
    const tsdown = join(root, 'node_modules', 'tsdown', 'dist', 'run.mjs');
    await promisify(execFile)(process.execPath, [tsdown, '--out-dir', built], { cwd: root });
  });
  return { folder, cli: join(folder, 'main.mjs'), worker: join(folder, 'scan-worker') };
}
