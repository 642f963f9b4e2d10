import { existsSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { projectRoot } from './project.ts';

/**
 * Returns the paths of the files that git tracks or would add, relative to the root.
 * @param pathspecs limit the files, in git's syntax
 */
export async function projectFiles(...pathspecs: readonly string[]): Promise<readonly string[]> {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...pathspecs];
  const { stdout } = await execa('git', args, { cwd: projectRoot });
  return stdout.split('\0').filter((file) => file !== '' && existsSync(join(projectRoot, file)));
}

/** Copies files of the project into a folder. @param files relative to the root */
export async function copyFiles(files: readonly string[], copy: string): Promise<void> {
  for (const file of files)
    await cp(join(projectRoot, file), join(copy, file), { recursive: true, verbatimSymlinks: true });
}
