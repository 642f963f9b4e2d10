import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { oncePerRun } from '@temporal-kms/scripts/once-per-run';
import { build } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Builds the dashboard as `pnpm build` does, once for all tests of a run. */
export async function buildDashboard(): Promise<{
  readonly outDir: string;
  /** The modules that the build's scripts contain. */
  readonly modules: readonly string[];
}> {
  const folder = await oncePerRun('dashboard', async (into) => {
    const built = await build({ root, logLevel: 'error', build: { outDir: join(into, 'dist') } });
    const files = [built].flat().flatMap((each) => ('output' in each ? each.output : []));
    const modules = files.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
    await writeFile(join(into, 'modules.json'), JSON.stringify(modules));
  });
  const modules: readonly string[] = JSON.parse(await readFile(join(folder, 'modules.json'), 'utf8'));
  return { outDir: join(folder, 'dist'), modules };
}
