import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '@temporal-kms/scripts/lock';
import { toolsDir } from '@temporal-kms/scripts/project';
import { execa } from 'execa';

const VERSION = '4.32.5';
const home = join(toolsDir, `schemathesis-${VERSION}`);
const program = join(home, 'bin', 'st');

/**
 * Returns the path of the pinned version of Schemathesis, which is installed into a virtual environment on
 * the first run. Prints a message and returns undefined if Python or PyPI is not available.
 */
export function findSchemathesis(): Promise<string | undefined> {
  return withLock(`${home}.lock`, install);
}

async function install(): Promise<string | undefined> {
  if (await exists(program)) return program;
  process.stdout.write(`Installing Schemathesis ${VERSION} from PyPI…\n`);
  const { failed: noVenv } = await execa('python3', ['-m', 'venv', '--clear', home], { reject: false });
  const pip = [
    '-m',
    'pip',
    '--quiet',
    '--disable-pip-version-check',
    'install',
    '--no-compile',
    '--only-binary=:all:',
  ];
  const { failed, stderr } = await execa(join(home, 'bin', 'python'), [...pip, `schemathesis==${VERSION}`], {
    reject: false,
    timeout: 300_000,
  });
  if (!noVenv && !failed && (await exists(program))) return program;
  await rm(home, { recursive: true, force: true });
  process.stdout.write(
    `The tests with Schemathesis are skipped: it needs Python 3.10 or later with venv, and PyPI. ${stderr}\n`,
  );
  return undefined;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
