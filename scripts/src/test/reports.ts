import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { projectRoot } from '../project.ts';

/** The numbers of passed, failed and skipped tests in a package. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Each failed test (or file that does not load): its file, full name, and first lines of the error. */
  readonly failures: readonly string[];
  /**
   * Each test that passed on the second attempt, with its file, its full name, and the first lines of the
   * first attempt's error.
   */
  readonly flaky: readonly string[];
  /** Seconds from the suite's start to its end. */
  readonly seconds: number;
}

export const none: Outcome = { passed: 0, failed: 0, skipped: 0, failures: [], flaky: [], seconds: 0 };
export const lost: Outcome = { ...none, failed: 1 };

export const add = (a: Outcome, b: Outcome): Outcome => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
  failures: [...a.failures, ...b.failures],
  flaky: [...a.flaky, ...b.flaky],
  seconds: a.seconds + b.seconds,
});

/** The numbers of passed, failed and skipped tests in a file. */
export interface FileOutcome {
  readonly passed: number;
  readonly failed: boolean;
  /** Number of tests that were skipped because the machine lacks the programs that they need. */
  readonly skipped: number;
  /**
   * Seconds from the start of the file's first test to the end of its last test. For Playwright, this is the
   * sum of the durations of the file's tests.
   */
  readonly seconds: number;
}

/** The folder for a suite's report, relative to the suite's package. */
export const resultsFolder = '.results';

/**
 * Reads the JSON report of vitest or Playwright for a package. Returns undefined if there is no readable
 * report.
 * @param folder the report's folder, relative to the package
 */
export async function readOutcome(directory: string, folder = resultsFolder): Promise<Outcome | undefined> {
  const { vitest, playwright, unhandled } = await readReports(join(directory, folder));
  if (vitest) return vitestOutcome(vitest, unhandled);
  return playwright && playwrightOutcome(playwright);
}

/**
 * Reads the outcomes of a package's test files, by their paths relative to the root.
 * @param directory the package's folder, relative to the root
 */
export async function readFiles(
  directory: string,
  folder = resultsFolder,
  root = projectRoot,
): Promise<[string, FileOutcome][]> {
  const { vitest, playwright } = await readReports(join(root, directory, folder));
  const files = vitest ? vitestFiles(vitest) : playwright ? playwrightFiles(playwright) : [];
  return files.map(([path, outcome]) => {
    // A report from turbo's cache contains the paths of another checkout.
    const at = path.lastIndexOf(`/${directory}/`);
    return [path.slice(at + 1), outcome];
  });
}

interface Reports {
  readonly vitest?: VitestReport | undefined;
  readonly playwright?: PlaywrightReport | undefined;
  /** The errors outside Vitest's tests. */
  readonly unhandled?: readonly string[] | undefined;
}

async function readReports(folder: string): Promise<Reports> {
  const read = (name: string) => readJson(join(folder, name));
  return {
    vitest: await read('vitest.json'),
    playwright: await read('playwright.json'),
    unhandled: await read('unhandled.json'),
  };
}

interface VitestReport {
  /** Milliseconds since 1970, like all times in the report. */
  readonly startTime: number;
  readonly numPassedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    /** The path of the file. */
    readonly name: string;
    readonly startTime: number;
    readonly endTime: number;
    readonly status: string;
    /** The reason why the file could not be loaded, if loading failed. */
    readonly message: string;
    /**
     * The file's tests. If a test passed on the second attempt, `failureMessages` contains the failure of the
     * first attempt.
     */
    readonly assertionResults: readonly { status: string; fullName: string; failureMessages: string[] }[];
  }[];
}

/** A file that cannot be loaded has no failed test, so the file itself counts as a failure. */
function vitestOutcome(report: VitestReport, unhandled: readonly string[] = []): Outcome {
  const withErrors = (wanted: string) =>
    report.testResults.flatMap(({ name, assertionResults }) =>
      assertionResults
        .filter(({ status, failureMessages }) => status === wanted && failureMessages.length > 0)
        .map(({ fullName, failureMessages }) => withError(`${name}: ${fullName}`, failureMessages)),
    );
  const unloaded = report.testResults
    .filter(({ status, assertionResults }) => status === 'failed' && !assertionResults.some(hasFailed))
    .map(({ name, message }) => withError(`${name}: does not load`, [message]));
  const outside = unhandled.map((error) => withError('an error outside the tests', [error]));
  const failures = [...withErrors('failed'), ...unloaded, ...outside];
  return {
    passed: report.numPassedTests,
    failed: failures.length,
    skipped: report.numPendingTests + report.numTodoTests,
    failures,
    flaky: withErrors('passed'),
    seconds:
      (Math.max(report.startTime, ...report.testResults.map(({ endTime }) => endTime)) - report.startTime) /
      1_000,
  };
}

const hasFailed = ({ status }: { readonly status: string }): boolean => status === 'failed';

function vitestFiles({ testResults }: VitestReport): [string, FileOutcome][] {
  return testResults.map(({ name, startTime, endTime, status, assertionResults }) => {
    const count = (...of: string[]): number =>
      assertionResults.filter((test) => of.includes(test.status)).length;
    const failed = status === 'failed';
    const seconds = (endTime - startTime) / 1_000;
    return [name, { passed: count('passed'), failed, skipped: count('skipped', 'pending'), seconds }];
  });
}

interface PlaywrightReport {
  /** `duration` is in milliseconds. */
  readonly stats: { readonly duration: number };
  /** `rootDir` is the folder to which the paths of files are relative. */
  readonly config: { readonly rootDir: string };
  /** Errors outside any test. */
  readonly errors: readonly PlaywrightError[];
  readonly suites: readonly PlaywrightSuite[];
}

interface PlaywrightError {
  readonly message?: string;
}

interface PlaywrightSuite {
  readonly specs: readonly PlaywrightSpec[];
  readonly suites?: readonly PlaywrightSuite[];
}

interface PlaywrightSpec {
  readonly title: string;
  readonly file: string;
  readonly tests: readonly {
    readonly status: 'expected' | 'unexpected' | 'flaky' | 'skipped';
    readonly results: readonly { readonly errors: readonly PlaywrightError[]; readonly duration?: number }[];
  }[];
}

type PlaywrightStatus = PlaywrightSpec['tests'][number]['status'];

const specsOf = ({ specs, suites = [] }: PlaywrightSuite): PlaywrightSpec[] => [
  ...specs,
  ...suites.flatMap(specsOf),
];

const testsWith = (specs: readonly PlaywrightSpec[], ...wanted: PlaywrightStatus[]) =>
  specs.flatMap(({ title, file, tests }) =>
    tests.filter(({ status }) => wanted.includes(status)).map(({ results }) => ({ title, file, results })),
  );

function playwrightOutcome({ errors, suites, stats }: PlaywrightReport): Outcome {
  const specs = suites.flatMap(specsOf);
  const withErrors = (...wanted: PlaywrightStatus[]) =>
    testsWith(specs, ...wanted).map(({ title, file, results }) =>
      withError(
        `${file}: ${title}`,
        results.flatMap((result) => result.errors.map(({ message = '' }) => message)),
      ),
    );
  const failures = [...withErrors('unexpected'), ...errors.map(({ message = 'an error' }) => message)];
  return {
    passed: testsWith(specs, 'expected', 'flaky').length,
    failed: failures.length,
    skipped: testsWith(specs, 'skipped').length,
    failures,
    flaky: withErrors('flaky'),
    seconds: stats.duration / 1_000,
  };
}

function playwrightFiles({ config, suites }: PlaywrightReport): [string, FileOutcome][] {
  const byFile = Map.groupBy(suites.flatMap(specsOf), ({ file }) => file);
  return [...byFile].map(([file, specs]) => [
    `${config.rootDir}/${file}`,
    {
      passed: testsWith(specs, 'expected', 'flaky').length,
      failed: testsWith(specs, 'unexpected').length > 0,
      skipped: testsWith(specs, 'skipped').length,
      seconds:
        specs
          .flatMap(({ tests }) => tests.flatMap(({ results }) => results))
          .reduce((sum, { duration = 0 }) => sum + duration, 0) / 1_000,
    },
  ]);
}

const ERROR_LINES = 12;
const LINE_LENGTH = 300;

/**
 * Appends the first lines of the errors, indented. The suite's own output contains the whole errors. For a test that
 * exceeded its time limit, Playwright's second error states what the test waited for.
 */
function withError(test: string, messages: readonly string[]): string {
  const lines = stripVTControlCharacters(messages.join('\n'))
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
