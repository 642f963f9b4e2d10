/**
 * `pnpm mutate`: changes the code, one small change at a time, and lists the changes that no test detects.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { mutatePython } from './mutate/python.ts';
import type { Run } from './mutate/run.ts';
import { type Scope, scopeNamed, scopes } from './mutate/scopes.ts';
import { copyFiles, projectFiles } from './project-files.ts';
import { devDir, projectRoot } from './project.ts';

/** Minimum percentage of mutants that the tests must detect. */
const LEAST_SCORE = 90;

const help = `Usage: pnpm mutate SCOPE [--incremental] [PART OF A FILE'S PATH…]
       pnpm mutate python

Changes the code of a scope, one expression at a time, in a copy of the project, and runs the scope's tests on each change.
Lists the changes (mutants) that no test notices, and fails if the tests notice fewer than 90 %.
  --incremental   keeps the last run's results for mutants whose code and tests have not changed
Scopes: ${Object.keys(scopes).join(', ')} (Stryker; scripts/src/mutate/scopes.ts; reports in .results/mutate)
and python (mutmut; interop/python/pyproject.toml)`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean' }, incremental: { type: 'boolean', default: false } },
  });
  const [name, ...parts] = positionals;
  if (values.help || name === undefined) {
    console.log(help);
    return values.help ? 0 : 2;
  }
  const files = await projectFiles();
  if (name === 'python') {
    const copy = await copyProject(name, files);
    const score = await mutatePython(copy);
    await rm(copy, { recursive: true });
    return score >= LEAST_SCORE ? 0 : 1;
  }
  const mutate = filesOf(scopeNamed(name), files, parts);
  if (mutate.length === 0)
    throw new Error(`No file of ${name} has a path that contains: ${parts.join(', ')}`);
  const copy = await copyProject(name, files);
  await install(copy);
  const exitCode = await runStryker(copy, name, {
    mutate,
    results: join(projectRoot, '.results', 'mutate', name),
    incremental: values.incremental,
    leastScore: LEAST_SCORE,
  });
  await rm(copy, { recursive: true });
  return exitCode;
}

async function runStryker(copy: string, name: string, run: Run): Promise<number> {
  const { exitCode } = await execa(process.execPath, ['scripts/src/mutate/run.ts', JSON.stringify(run)], {
    cwd: copy,
    env: { MUTATE_SCOPE: name },
    stdio: 'inherit',
    reject: false,
  });
  return exitCode ?? 1;
}

const filesOf = (
  { sources, except = [] }: Scope,
  files: readonly string[],
  parts: readonly string[],
): string[] =>
  files.filter(
    (file) =>
      sources.some((source) => file === source || file.startsWith(`${source}/`)) &&
      !except.includes(file) &&
      (parts.length === 0 || parts.some((part) => file.includes(part))),
  );

/**
 * Copies the project, because Stryker mutates files in place. Stryker's own sandbox copies only one package.
 * The tests in a copy of one package would load the other packages of the workspace from the original folder,
 * and through them the unmutated code.
 */
async function copyProject(name: string, files: readonly string[]): Promise<string> {
  const copy = join(devDir, 'mutate', name);
  await rm(copy, { recursive: true, force: true });
  await copyFiles(files, copy);
  return copy;
}

async function install(copy: string): Promise<void> {
  const pnpm = process.env['npm_execpath'];
  if (!pnpm) throw new Error('npm_execpath is not set. Start this with `pnpm mutate`.');
  await execa(pnpm, ['install', '--frozen-lockfile', '--prefer-offline', '--ignore-scripts'], { cwd: copy });
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
