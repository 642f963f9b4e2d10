import { readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { pipProgram } from '../pip.ts';
import { devDir, projectRoot, toolsDir } from '../project.ts';

interface Statistics {
  readonly killed: number;
  readonly timeout: number;
  readonly total: number;
}

/**
 * Runs mutmut on the Python implementation in a copy of the project. `interop/python/pyproject.toml` lists the
 * files and tests.
 * @returns the percentage of mutants that were killed
 */
export async function mutatePython(copy: string): Promise<number> {
  const requirements = join(projectRoot, 'scripts', 'mutmut.txt');
  const program = await pipProgram(requirements, join(toolsDir, 'mutmut-3.8.1'), 'bin/mutmut');
  const ensure = [join(projectRoot, 'interop/python/ensure_venv.py'), join(devDir, 'interop-python')];
  const { stdout: python } = await execa('python3', ensure, { stderr: 'inherit' });
  // mutmut runs the tests in a subfolder, so they look for the vectors one folder deeper.
  await symlink('../packages', join(copy, 'interop', 'packages'));
  const cwd = join(copy, 'interop', 'python');
  const mutmut = (...args: string[]) =>
    execa(python.trim(), ['-m', 'mutmut', ...args], {
      cwd,
      env: { PYTHONPATH: dirname(dirname(program)) },
      stdout: 'inherit',
      stderr: 'inherit',
    });
  await mutmut('run', '--max-children', '1');
  await mutmut('results');
  await mutmut('export-cicd-stats');
  const text = await readFile(join(cwd, 'mutants', 'mutmut-cicd-stats.json'), 'utf8');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Written by mutmut.
  const { killed, timeout, total } = JSON.parse(text) as Statistics;
  const score = (100 * (killed + timeout)) / total;
  console.log(`${killed} of ${total} mutants killed, ${timeout} timed out: ${score.toFixed(1)} %`);
  return score;
}
