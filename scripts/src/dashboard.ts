import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { oncePerRun } from './once-per-run.ts';
import { projectRoot } from './project.ts';

/**
 * Builds the dashboard as `pnpm build` does, once for all tests of a run, or for the benchmark that calls this.
 * @returns a folder with the build in `dist` and the names of the modules that its scripts contain in `modules.json`
 */
export function buildDashboard(): Promise<string> {
  const script = join(projectRoot, 'apps', 'decrypt-ui', 'test', 'support', 'build.ts');
  return oncePerRun('dashboard', (folder) => promisify(execFile)(process.execPath, [script, folder]));
}
