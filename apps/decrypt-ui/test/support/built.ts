import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildDashboard } from '@temporal-kms/scripts/dashboard';

/** Returns a build of the dashboard, which all tests of a run share. */
export async function builtDashboard(): Promise<{
  readonly outDir: string;
  /** The modules that the build's scripts contain. */
  readonly modules: readonly string[];
}> {
  const folder = await buildDashboard();
  const modules: readonly string[] = JSON.parse(await readFile(join(folder, 'modules.json'), 'utf8'));
  return { outDir: join(folder, 'dist'), modules };
}
