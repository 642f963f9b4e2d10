import { execFile } from 'node:child_process';
import { copyFile, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '..', '..');

export interface Built {
  /** A folder outside the repository, with nothing but the programs. */
  readonly folder: string;
  /** The file of the command-line tool. */
  readonly cli: string;
  /** The folder of the scan worker. */
  readonly worker: string;
  remove(): Promise<void>;
}

/** Builds the programs as `pnpm build` does, into a new folder. */
export async function buildPrograms(): Promise<Built> {
  const folder = await mkdtemp(join(tmpdir(), 'temporal-kms-'));
  const [built, cli, worker] = [join(folder, 'dist'), join(folder, 'main.mjs'), join(folder, 'worker')];
  const tsdown = join(root, 'node_modules', 'tsdown', 'dist', 'run.mjs');
  await promisify(execFile)(process.execPath, [tsdown, '--out-dir', built], { cwd: root });
  await copyFile(join(built, 'main.mjs'), cli);
  await copyFile(join(built, 'app.mjs'), join(folder, 'app.mjs'));
  await cp(join(built, 'scan-worker'), worker, { recursive: true, verbatimSymlinks: true });
  await rm(built, { recursive: true });
  return { folder, cli, worker, remove: () => rm(folder, { recursive: true, force: true }) };
}
