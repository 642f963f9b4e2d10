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

export interface JudgeOptions {
  /** All suites ran: a file that isn't there is gone. */
  readonly all: boolean;
  /** A machine that has everything: what was left out is broken. */
  readonly strict: boolean;
}

type Verdict = 'kept' | 'untried' | 'broken';
const signs: Readonly<Record<Verdict, string>> = { kept: '✓', untried: '–', broken: '✗' };

/**
 * A line for each promise whose test files ran. A promise is broken by a file that has failed, that holds no test or
 * that isn't there, and untried where a file's tests were all left out because the machine lacks what they need.
 */
export function judge(
  promises: readonly Promised[],
  outcomes: ReadonlyMap<string, FileOutcome>,
  { all, strict }: JudgeOptions,
): { readonly lines: readonly string[]; readonly broken: number } {
  let broken = 0;
  const lines: string[] = [];
  for (const { point, files } of promises) {
    const ran = files.map((file) => outcomes.get(file));
    if (!all && ran.some((outcome) => outcome === undefined)) continue;
    const verdicts = ran.map((outcome) => verdictOf(outcome, strict));
    const verdict = (['broken', 'untried'] as const).find((one) => verdicts.includes(one)) ?? 'kept';
    if (verdict === 'broken') broken += 1;
    const told = files.map((file, index) => `${file} (${toldOf(ran[index])})`);
    lines.push(`${signs[verdict]} ${point}: ${told.join(', ')}`);
  }
  return { lines, broken };
}

function verdictOf(outcome: FileOutcome | undefined, strict: boolean): Verdict {
  if (outcome === undefined || outcome.failed) return 'broken';
  if (outcome.passed > 0) return strict && outcome.skipped > 0 ? 'broken' : 'kept';
  return outcome.skipped > 0 && !strict ? 'untried' : 'broken';
}

function toldOf(outcome: FileOutcome | undefined): string {
  if (outcome === undefined) return 'did not run';
  return outcome.skipped > 0
    ? `${outcome.passed}, ${outcome.skipped} not tried here`
    : String(outcome.passed);
}

/** Reads `docs/promises.md` and the reports of the suites in `directories`, which are relative to the root. */
export async function checkPromises(
  directories: readonly string[],
  options: JudgeOptions,
): Promise<ReturnType<typeof judge>> {
  const promises = parsePromises(await readFile(join(projectRoot, 'docs/promises.md'), 'utf8'));
  const outcomes = await Promise.all(directories.map((directory) => readFiles(projectRoot, directory)));
  return judge(promises, new Map(outcomes.flat()), options);
}
