import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../project.ts';
import { add, type FileOutcome, none, type Outcome } from './reports.ts';

/** A list item of `docs/security-model.md`: a promise and its test files, relative to the project's root. */
export interface DocumentedPromise {
  readonly id: string;
  readonly text: string;
  readonly files: readonly string[];
}

const item =
  /^- \*\*([A-Z]\d+)\*\* (\S.*?\.) (`[^`]+\.(?:test|spec)\.tsx?`(?:, `[^`]+\.(?:test|spec)\.tsx?`)*)$/;
const test = /`[^`]+\.(?:test|spec)\.tsx?`/;
const promise = /^\s*[-*+] (?:.*`[^`]+\.(?:test|spec)\.tsx?`|\*\*[A-Z]\d+\*\*)/;

/**
 * Returns the list items with an id or with tests: ``- **A1** Text. `a.test.ts`, `b.test.ts` ``. Throws an
 * error if such an item has another form, because its tests would otherwise be ignored. Ignores other list
 * items.
 */
export function parsePromises(markdown: string): DocumentedPromise[] {
  return markdown
    .split('\n')
    .filter((line) => promise.test(line))
    .map((line) => {
      const [, id, text, files] = item.exec(line) ?? [];
      if (id === undefined || text === undefined || files === undefined || test.test(text))
        throw new Error(`Not of the form "- **A1** Text. \`a.test.ts\`, \`b.test.ts\`": ${line}`);
      return { id, text, files: files.slice(1, -1).split('`, `') };
    });
}

export interface JudgeOptions {
  /** Whether all suites ran. If so, a test file without an outcome has been deleted or renamed. */
  readonly all: boolean;
  /** Whether a skipped test breaks its promise. */
  readonly strict: boolean;
  /**
   * True if the long proofs ran (`*.long.test.ts`, `*.long.spec.ts`), and false if the other files ran. Each
   * command judges only its own files.
   */
  readonly long: boolean;
}

type Verdict = 'kept' | 'untried' | 'broken';
const signs: Readonly<Record<Verdict, string>> = { kept: '✓', untried: '–', broken: '✗' };

/**
 * Returns a line for each promise whose test files ran. A file breaks its promise if it failed, contains no
 * tests or does not exist. A promise is untried if all tests of a file were skipped because the machine lacks
 * the programs that they need.
 */
export function judge(
  promises: readonly DocumentedPromise[],
  outcomes: ReadonlyMap<string, FileOutcome>,
  { all, strict, long }: JudgeOptions,
): { readonly lines: readonly string[]; readonly broken: number } {
  const elsewhere = long ? 'pnpm test' : 'pnpm test:long';
  let broken = 0;
  const lines: string[] = [];
  for (const { id, text, files } of promises) {
    const own = files.filter((file) => isLong(file) === long);
    if (own.length === 0 || (!all && own.some((file) => !outcomes.has(file)))) continue;
    const verdicts = own.map((file) => outcomes.get(file)).map((outcome) => verdictOf(outcome, strict));
    const verdict = (['broken', 'untried'] as const).find((worst) => verdicts.includes(worst)) ?? 'kept';
    if (verdict === 'broken') broken += 1;
    const results = files.map(
      (file) => `${file} (${own.includes(file) ? describe(outcomes.get(file)) : elsewhere})`,
    );
    lines.push(`${signs[verdict]} ${id} ${text} Tests: ${results.join(', ')}`);
  }
  return { lines, broken };
}

const isLong = (file: string): boolean => /\.long\.(test|spec)\./.test(file);

function verdictOf(outcome: FileOutcome | undefined, strict: boolean): Verdict {
  if (outcome === undefined || outcome.failed) return 'broken';
  if (outcome.passed > 0) return strict && outcome.skipped > 0 ? 'broken' : 'kept';
  return outcome.skipped > 0 && !strict ? 'untried' : 'broken';
}

function describe(outcome: FileOutcome | undefined): string {
  if (outcome === undefined) return 'did not run';
  return outcome.skipped > 0 ? `${outcome.passed}, ${outcome.skipped} skipped` : String(outcome.passed);
}

/**
 * Judges the promises in `docs/security-model.md`.
 * @param outcomes by the test files' paths relative to the root
 */
export async function checkPromises(
  outcomes: ReadonlyMap<string, FileOutcome>,
  options: JudgeOptions,
): Promise<ReturnType<typeof judge>> {
  const promises = parsePromises(await readFile(join(projectRoot, 'docs/security-model.md'), 'utf8'));
  return judge(promises, outcomes, options);
}

/**
 * Adds broken promises to the failures, but only if no test failed. Failed tests break promises too, and they
 * are already counted.
 */
export function withBroken(total: Outcome, { lines, broken }: ReturnType<typeof judge>): Outcome {
  if (broken === 0 || total.failed > 0) return total;
  return add(total, { ...none, failed: broken, failures: lines.filter((line) => line.startsWith('✗')) });
}
