/**
 * This script is part of the root's `check` and, with `--fix`, of `format`. Runs ruff on the Python files,
 * with the settings in interop/ruff.toml. pip installs ruff on first use. The exit status is 1 if ruff finds
 * a problem.
 */
import { join } from 'node:path';
import { execa } from 'execa';
import { pipProgram } from './pip.ts';
import { toolsDir, projectRoot } from './project.ts';

const requirements = join(import.meta.dirname, '..', 'ruff.txt');
const program = process.platform === 'win32' ? 'bin/ruff.exe' : 'bin/ruff';
const ruff = await pipProgram(requirements, join(toolsDir, 'ruff-0.17.6'), program);

const fix = process.argv.includes('--fix');
// Python code in Markdown is formatted together with its page.
const commands = [
  ['check', ...(fix ? ['--fix'] : [])],
  ['format', '--exclude', '*.md', ...(fix ? [] : ['--check'])],
];
for (const command of commands) {
  const args = [...command, '--no-cache', '--quiet', '--output-format', 'concise', '.'];
  const { exitCode = 1 } = await execa(ruff, args, { cwd: projectRoot, stdio: 'inherit', reject: false });
  if (exitCode !== 0) process.exitCode = exitCode;
}
