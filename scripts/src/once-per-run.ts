import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withLock } from './lock.ts';
import { projectRoot } from './project.ts';

/**
 * The environment variable with the path of the folder for a test run's builds. `pnpm test` sets the variable
 * for all suites. Otherwise, `vitest run` sets the variable.
 */
const VARIABLE = 'TEST_RUN_DIR';

/**
 * Creates the folder for this process and its children, unless it exists. Deletes the folder when this
 * process ends.
 */
export function startRun(): string {
  return (process.env[VARIABLE] ??= createRun());
}

function createRun(): string {
  const folder = mkdtempSync(join(tmpdir(), 'temporal-kms-run-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Builds something once for all tests of a run, in all processes. The first test that needs the result builds
 * it; other tests wait.
 * @param name the folder's name
 * @param build writes into the folder, which is initially empty
 * @returns the folder, which tests must not change
 */
export async function oncePerRun(name: string, build: (folder: string) => Promise<unknown>): Promise<string> {
  // In watch mode, each process builds what it needs, because the sources may have changed.
  const folder = join(startRun(), name);
  const isComplete = `${folder}.complete`;
  await withLock(`${folder}.lock`, async () => {
    if (existsSync(isComplete)) return;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder);
    await build(folder);
    await writeFile(isComplete, '');
  });
  return folder;
}

/** tsdown's own executable, without its shell wrapper. */
const TSDOWN = 'node_modules/tsdown/dist/run.mjs';

/**
 * Builds an application for deployment once for all tests of a run.
 * @param app the application's folder in `apps`
 * @returns the folder with the result, which tests must not change
 */
export const builtOncePerRun = (app: string): Promise<string> =>
  oncePerRun(app, (folder) =>
    promisify(execFile)(process.execPath, [TSDOWN, '--out-dir', folder], {
      cwd: join(projectRoot, 'apps', app),
    }),
  );
