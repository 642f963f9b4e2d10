import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { configDefaults, type ViteUserConfig } from 'vitest/config';
import { startRun } from './once-per-run.ts';
import { devDir } from './project.ts';

// Our code rejects key and policy files that their group can write, and some systems create such files.
process.umask(0o022);

// Node caches compiled modules, which is a good part of the start of each process.
process.env['NODE_COMPILE_CACHE'] ??= join(devDir, 'compile-cache');

if (process.argv.includes('run')) startRun();

/** `pnpm test:long` sets SLOW, and names the files. */
const left = process.env['SLOW'] ? [] : ['**/*.long.test.ts'];

/** The base of every package's `vitest.config.ts`. `scripts/src/test.ts` adds up the JSON reports. */
export const shared: NonNullable<ViteUserConfig['test']> = {
  include: ['test/**/*.test.{ts,tsx}'],
  exclude: [...configDefaults.exclude, ...left],
  reporters: ['default', 'json'],
  outputFile: { json: '.results/vitest.json' },
  // Most tests wait: for Temporal, for a process, for the end of an outage. Vitest's default for two cores is one file at a time.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // Only a test that fails takes so long. Some wait for a process to start, which may take half a minute on a busy machine.
  testTimeout: 60_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 10_000 } },
};
