import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';

const dashboard = join(import.meta.dirname, '..', 'apps', 'decrypt-ui');

/** Builds the dashboard for a benchmark as `pnpm build` does, into the new folder `out`. Returns the folder. */
export async function buildDashboard(out: string): Promise<string> {
  const vite = createRequire(join(dashboard, 'package.json')).resolve('vite/package.json');
  const cli = join(vite, '..', 'bin', 'vite.js');
  await promisify(execFile)(process.execPath, [cli, 'build', '--outDir', out], { cwd: dashboard });
  return out;
}
