import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { configDefaults, type ViteUserConfig } from 'vitest/config';
import type { Reporter } from 'vitest/node';
import { startRun } from './once-per-run.ts';
import { devDir } from './project.ts';

// On some systems, the group can write to new files. Our code rejects key and policy files to which the group
// can write.
process.umask(0o022);

// Makes Node cache compiled modules, because compilation takes a large part of each process's start.
process.env['NODE_COMPILE_CACHE'] ??= join(devDir, 'compile-cache');

if (process.argv.includes('run')) startRun();

/** Leaves out the long proofs. `pnpm test:long` sets SLOW and names their files. */
const left = process.env['SLOW'] ? [] : ['**/*.long.test.ts'];

/**
 * Writes the errors outside tests that make a run fail, such as unhandled rejections. The JSON report lacks
 * them.
 */
const unhandled: Reporter = {
  async onTestRunEnd(_, errors) {
    await mkdir('.results', { recursive: true });
    const texts = errors.map(({ stack, message }) => stack ?? message);
    await writeFile('.results/unhandled.json', JSON.stringify(texts));
  },
};

/** The base of every package's `vitest.config.ts`. `scripts/src/test.ts` adds up the JSON reports. */
export const shared: NonNullable<ViteUserConfig['test']> = {
  include: ['test/**/*.test.{ts,tsx}'],
  exclude: [...configDefaults.exclude, ...left],
  reporters: ['default', 'json', unhandled],
  outputFile: { json: '.results/vitest.json' },
  // Most tests wait, for example for Temporal, for a process, or for the end of an outage. On two cores,
  // Vitest would run only one file at a time by default.
  maxWorkers: Math.max(3, availableParallelism() - 1),
  // Each process runs several files, because it takes longer to start a process and load the dependencies than
  // to run the tests of most files.
  isolate: false,
  // Usually, only failing tests take this long. However, some tests start several processes one after the other,
  // and each start can take half a minute on a busy machine.
  testTimeout: 240_000,
  hookTimeout: 240_000,
  expect: { poll: { timeout: 10_000 } },
};
