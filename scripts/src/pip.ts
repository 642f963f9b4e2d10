import { execa } from 'execa';
import which from 'which';

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
    '--disable-pip-version-check',
  ];
  await execa(python, ['-m', 'pip', 'install', ...flags, '--target', target, '-r', requirements], {
    timeout: 300_000,
  });
}
