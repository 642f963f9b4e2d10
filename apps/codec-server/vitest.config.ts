import { availableParallelism } from 'node:os';
import { shared } from '@temporal-kms/scripts/vitest';
import { defineConfig } from 'vitest/config';

// Vitest adds a project's `include` to that of the root, so the root must not have one.
const { include: _, ...common } = shared;

/** These tests measure the heap of their process, so they don't share the process with other tests. */
const measuring = ['history/long-history', 'temporal/decode-plan', 'fuzz'].map(
  (file) => `test/${file}.test.ts`,
);

export default defineConfig({
  test: {
    ...common,
    // The browser tests run at the same time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    globalSetup: 'test/support/whole-run.ts',
    projects: [
      { extends: true, test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: measuring } },
      { extends: true, test: { name: 'alone', include: measuring, isolate: true } },
    ],
  },
});
