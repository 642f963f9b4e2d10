/**
 * Runs Stryker in the current folder, which is a copy of the project. The argument is a JSON object of type
 * `Run`.
 */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Stryker } from '@stryker-mutator/core';

export interface Run {
  /** The files to mutate. */
  readonly mutate: string[];
  /** Path of the results, without extension. */
  readonly results: string;
  readonly incremental: boolean;
  readonly leastScore: number;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- From `mutate.ts`.
const { mutate, results, incremental, leastScore } = JSON.parse(process.argv[2] ?? '') as Run;

await new Stryker({
  mutate,
  inPlace: true,
  incremental,
  // This file must not be the report's file, because Stryker writes both files at the same time.
  incrementalFile: `${results}.incremental.json`,
  testRunner: 'vitest',
  vitest: {
    configFile: fileURLToPath(import.meta.resolve('./vitest.config.ts')),
    related: false,
    pool: 'threads',
  },
  plugins: [import.meta.resolve('@stryker-mutator/vitest-runner'), import.meta.resolve('./messages.ts')],
  ignorers: ['messages'],
  // TypeScript would reject some mutants, but Node strips the types.
  disableTypeChecks: false,
  concurrency: availableParallelism(),
  // Vitest's limit ends tests that wait for ever. This longer limit ends endless loops. Stryker ends most loops
  // earlier, because it counts how often they reach mutated code.
  timeoutMS: 60_000,
  dryRunTimeoutMinutes: 60,
  thresholds: { high: 100, low: leastScore, break: leastScore },
  reporters: ['clear-text', 'progress-append-only', 'html', 'json'],
  clearTextReporter: { logTests: false, reportTests: false },
  htmlReporter: { fileName: `${results}.html` },
  jsonReporter: { fileName: `${results}.json` },
}).runMutationTest();
