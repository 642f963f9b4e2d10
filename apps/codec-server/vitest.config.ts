import { availableParallelism } from 'node:os';
import { shared } from '@temporal-kms/scripts/vitest';
import { defineConfig } from 'vitest/config';

// Vitest adds a project's `include` to that of the root, so the root must not have one.
const { include: _, ...common } = shared;

/**
 * These tests don't share a process with other tests. All except Schemathesis measure the heap of their process.
 * Schemathesis takes longest, so it starts first: Vitest starts projects in the order of their names and,
 * within a project, first the slowest files of the last run or, without results, the largest files.
 */
const alone = ['integration/schemathesis', 'history/long-history', 'temporal/decode-plan', 'fuzz'].map(
  (file) => `test/${file}.test.ts`,
);

export default defineConfig({
  test: {
    ...common,
    // Leaves a processor for the browser tests, which run at the same time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    globalSetup: 'test/support/whole-run.ts',
    projects: [
      { extends: true, test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: alone } },
      { extends: true, test: { name: 'alone', include: alone, isolate: true } },
    ],
  },
});
