import { join } from 'node:path';
import { oncePerRun } from '@temporal-kms/scripts/once-per-run';

const cwd = join(import.meta.dirname, '..', '..');

/** The folder with the server's bundle. Tests must not change it. */
export const built = await oncePerRun('codec-server', async (outDir) => {
  const { build } = await import('tsdown');
  await build({ cwd, config: join(cwd, 'tsdown.config.ts'), outDir, logLevel: 'silent' });
});
