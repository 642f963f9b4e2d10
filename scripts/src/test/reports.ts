import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What one package's tests came to. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Where every suite leaves its report, below its package; one of the two. */
export const resultsFolder = '.results';

/**
 * Reads the JSON report that a package's vitest or Playwright left.
 *
 * @returns nothing when there is none that can be read.
 */
export async function readOutcome(directory: string): Promise<Outcome | undefined> {
  const vitest = await readJson(join(directory, resultsFolder, 'vitest.json'));
  if (vitest) return vitestOutcome(vitest);
  const playwright = await readJson(join(directory, resultsFolder, 'playwright.json'));
  return playwright && playwrightOutcome(playwright);
}

/** What the tests of one file came to. */
export interface FileOutcome {
  readonly passed: number;
  readonly failed: boolean;
  /** Left out because the machine lacks what they need. */
  readonly skipped: number;
}

/** The outcomes of a package's vitest files, by their paths from the root. */
export async function readFiles(root: string, directory: string): Promise<[string, FileOutcome][]> {
  const report: VitestReport | undefined = await readJson(
    join(root, directory, resultsFolder, 'vitest.json'),
  );
  return (report?.testResults ?? []).map(({ name, status, assertionResults }) => {
    // A report from turbo's cache has the paths of the checkout that it was made in.
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
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { status: string }[];
  }[];
}

/** A file that could not even be loaded holds no failed test; it counts as one. */
function vitestOutcome(report: VitestReport): Outcome {
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

interface PlaywrightReport {
  readonly stats: {
    readonly expected: number;
    readonly unexpected: number;
    readonly flaky: number;
    readonly skipped: number;
  };
  /** Faults outside any test. */
  readonly errors: readonly unknown[];
}

function playwrightOutcome({ stats, errors }: PlaywrightReport): Outcome {
  return {
    passed: stats.expected + stats.flaky,
    failed: stats.unexpected + errors.length,
    skipped: stats.skipped,
  };
}

async function readJson(path: string) {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}
