import { chmod, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import which from 'which';
import { withLock } from './lock.ts';

/**
 * Installs the packages of a requirements file with pinned hashes into the folder `target`, within five minutes.
 *
 * @throws Error with pip's output, or if Python is missing
 */
export async function pipInstall(requirements: string, target: string): Promise<void> {
  const python = (await which('python3', { nothrow: true })) ?? (await which('python', { nothrow: true }));
  if (!python) throw new Error('No python3 is on the PATH.');
  const flags = [
    '--quiet',
    '--no-deps',
    '--only-binary=:all:',
    '--require-hashes',
    // Compiling now is unnecessary, because Python compiles modules when a program imports them.
    '--no-compile',
    '--disable-pip-version-check',
  ];
  await execa(python, ['-m', 'pip', 'install', ...flags, '--target', target, '-r', requirements], {
    timeout: 300_000,
  });
}

/**
 * Returns the path of a program in a Python package. Installs the package into `installDir` on first use.
 *
 * @param program the program's path in `installDir`
 * @param onInstall called before the installation starts
 * @throws Error with pip's output, or if Python is missing
 */
export async function pipProgram(
  requirements: string,
  installDir: string,
  program: string,
  onInstall?: () => void,
): Promise<string> {
  const file = join(installDir, program);
  if (await which(file, { nothrow: true })) return file;
  return await withLock(`${installDir}.lock`, async () => {
    if (await which(file, { nothrow: true })) return file;
    onInstall?.();
    const unfinished = `${installDir}.${process.pid}`;
    try {
      await pipInstall(requirements, unfinished);
      // A wheel may contain the program without the permission to execute it.
      await chmod(join(unfinished, program), 0o755);
      await rm(installDir, { recursive: true, force: true });
      await rename(unfinished, installDir);
      return file;
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  });
}
