import { execa } from 'execa';
import { findOnPath } from './executables.ts';

/**
 * Installs what a requirements file pins, hashes and all, into a folder of its own.
 * @throws Error what pip said, or that there is no Python; waits five minutes at most
 */
export async function pipInstall(requirements: string, target: string): Promise<void> {
  const python = await findOnPath('python3', 'python');
  if (!python) throw new Error('there is no python3 on the PATH');
  const flags = [
    '--quiet',
    '--no-deps',
    '--only-binary=:all:',
    '--require-hashes',
    '--disable-pip-version-check',
  ];
  await execa(python, ['-m', 'pip', 'install', ...flags, '--target', target, '-r', requirements], {
    timeout: 300_000,
  });
}
