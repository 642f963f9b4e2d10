import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** The numbers of one package's tests. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** For each failed test and each file that does not load: the file and the names of the test, and lines of its error. */
  readonly failures: readonly string[];
}

/** The folder of every suite's report, relative to its package. */
export const resultsFolder = '.results';

/** Reads the JSON report of a package's vitest or Playwright. Returns undefined without a readable report. */
export async function readOutcome(directory: string): Promise<Outcome | undefined> {
  const vitest = await readJson(join(directory, resultsFolder, 'vitest.json'));
  if (vitest) return vitestOutcome(vitest);
  const playwright = await readJson(join(directory, resultsFolder, 'playwright.json'));
  return playwright && playwrightOutcome(playwright);
}

/** The numbers of one file's tests. */
export interface FileOutcome {
  readonly passed: number;
  readonly failed: boolean;
  /** Tests that were skipped because the machine lacks what they need. */
  readonly skipped: number;
}

/** Reads the outcomes of a package's vitest files, by their paths relative to the root. */
export async function readFiles(root: string, directory: string): Promise<[string, FileOutcome][]> {
  const report: VitestReport | undefined = await readJson(
    join(root, directory, resultsFolder, 'vitest.json'),
  );
  return (report?.testResults ?? []).map(({ name, status, assertionResults }) => {
    // A report from turbo's cache contains the paths of another checkout.
    const at = name.lastIndexOf(`/${directory}/`);
    const count = (...of: string[]): number =>
      assertionResults.filter((test) => of.includes(test.status)).length;
    const outcome = {
      passed: count('passed'),
      failed: status === 'failed',
      skipped: count('skipped', 'pending'),
    };
    return [name.slice(at + 1), outcome];
  });
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    /** Why the file does not load. */
    readonly message: string;
    readonly assertionResults: readonly { status: string; fullName: string; failureMessages: string[] }[];
  }[];
}

/** A file that does not load has no failed test, so it counts as one. */
function vitestOutcome(report: VitestReport): Outcome {
  const failures = report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === 'failed');
    if (failed.length > 0)
      return failed.map(({ fullName, failureMessages }) =>
        withError(`${name}: ${fullName}`, failureMessages),
      );
    return status === 'failed' ? [withError(`${name}: does not load`, [message])] : [];
  });
  return {
    passed: report.numPassedTests,
    failed: failures.length,
    skipped: report.numPendingTests + report.numTodoTests,
    failures,
  };
}

interface PlaywrightReport {
  readonly stats: {
    readonly expected: number;
    readonly unexpected: number;
    readonly flaky: number;
    readonly skipped: number;
  };
  /** Errors outside any test. */
  readonly errors: readonly PlaywrightError[];
  readonly suites: readonly PlaywrightSuite[];
}

interface PlaywrightError {
  readonly message?: string;
}

interface PlaywrightSuite {
  readonly specs: readonly {
    readonly ok: boolean;
    readonly title: string;
    readonly file: string;
    readonly tests: readonly {
      readonly results: readonly { readonly errors: readonly PlaywrightError[] }[];
    }[];
  }[];
  readonly suites?: readonly PlaywrightSuite[];
}

function playwrightOutcome({ stats, errors, suites }: PlaywrightReport): Outcome {
  return {
    passed: stats.expected + stats.flaky,
    failed: stats.unexpected + errors.length,
    skipped: stats.skipped,
    failures: [...suites.flatMap(failedSpecs), ...errors.map(({ message = 'an error' }) => message)],
  };
}

function failedSpecs({ specs, suites = [] }: PlaywrightSuite): string[] {
  const failed = specs
    .filter(({ ok }) => !ok)
    .map(({ file, title, tests }) => {
      const errors = tests.flatMap(({ results }) => results.flatMap((result) => result.errors));
      return withError(
        `${file}: ${title}`,
        errors.map(({ message = '' }) => message),
      );
    });
  return [...failed, ...suites.flatMap(failedSpecs)];
}

const ERROR_LINES = 12;
const LINE_LENGTH = 300;

/** Appends the first lines of the first error, indented. The whole error is in the suite's own output. */
function withError(test: string, messages: readonly string[]): string {
  const lines = stripVTControlCharacters(messages[0] ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  return [test, ...lines.slice(0, ERROR_LINES).map((line) => `    ${line.slice(0, LINE_LENGTH)}`)].join('\n');
}

async function readJson(path: string) {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}
