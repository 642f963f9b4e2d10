import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../project.ts';
import { type FileOutcome, readFiles } from './reports.ts';

/** A row of `docs/promises.md`: what is promised, and the test files that attack it, from the project's root. */
export interface Promised {
  readonly point: string;
  readonly files: readonly string[];
}

/** Rows of three cells, the last of which names test files in backticks; other tables don't. */
export function parsePromises(markdown: string): Promised[] {
  return markdown.split('\n').flatMap((row) => {
    const [, number = '', point = '', tests = ''] = row.split('|').map((cell) => cell.trim());
    const files = [...tests.matchAll(/`([^`]+\.(?:test|spec)\.tsx?)`/g)].map(([, file]) => file ?? '');
    return files.length > 0 ? [{ point: `${number} ${point}`, files }] : [];
  });
}

/**
 * A line for each promise whose test files ran. A promise with a file that has failed, that holds no passed test or,
 * where `all` suites ran, that isn't there, is broken.
 */
export function judge(
  promises: readonly Promised[],
  outcomes: ReadonlyMap<string, FileOutcome>,
  all: boolean,
): { readonly lines: readonly string[]; readonly broken: number } {
  let broken = 0;
  const lines: string[] = [];
  for (const { point, files } of promises) {
    const ran = files.map((file) => outcomes.get(file));
    if (!all && ran.some((outcome) => outcome === undefined)) continue;
    const kept = ran.every((outcome) => outcome && !outcome.failed && outcome.passed > 0);
    if (!kept) broken += 1;
    const told = files.map((file, index) => `${file} (${ran[index]?.passed ?? 'did not run'})`);
    lines.push(`${kept ? '✓' : '✗'} ${point}: ${told.join(', ')}`);
  }
  return { lines, broken };
}

/** Reads `docs/promises.md` and the reports of the suites in `directories`, which are relative to the root. */
export async function checkPromises(
  directories: readonly string[],
  all: boolean,
): Promise<ReturnType<typeof judge>> {
  const promises = parsePromises(await readFile(join(projectRoot, 'docs/promises.md'), 'utf8'));
  const outcomes = await Promise.all(directories.map((directory) => readFiles(projectRoot, directory)));
  return judge(promises, new Map(outcomes.flat()), all);
}
