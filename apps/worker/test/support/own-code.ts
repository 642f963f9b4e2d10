import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeBlocks } from '@temporal-kms/testing/markdown';
import { runNode } from '@temporal-kms/testing/process';

const worker = join(import.meta.dirname, '..', '..');

/**
 * Writes the README's example of application workflows into a folder outside the repository, and builds the
 * example's workflow bundle with the failure converter in `artefact`.
 * @returns the path for `WORKER_CODE`
 */
export async function writeOwnCode(folder: string, artefact: string): Promise<string> {
  const readme = await readFile(join(worker, 'README.md'), 'utf8');
  for (const { info, code } of codeBlocks(readme)) {
    const title = /title="(.+\.ts)"/.exec(info)?.[1];
    if (title !== undefined) await writeFile(join(folder, title), code);
  }
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  // This link takes the place of packages installed from a registry.
  await symlink(join(worker, 'node_modules'), join(folder, 'node_modules'));
  const { code, stderr } = await runNode('bundle.ts', { cwd: folder, args: [artefact] });
  if (code !== 0) throw new Error(`bundle.ts failed:\n${stderr}`);
  return join(folder, 'main.ts');
}
