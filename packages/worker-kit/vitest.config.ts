import { shared } from '@temporal-kms/scripts/vitest';
import { defineConfig } from 'vitest/config';

// Vitest adds a project's `include` to that of the root, so the root must not have one.
const { include: _, ...common } = shared;

/**
 * These short test files share processes. Each of the other files runs in a separate process, because most of
 * them install Temporal's `Runtime`, which a process can do only once.
 */
const sharing = [
  'attempts/*',
  'logging/outages',
  'logging/safe-logger',
  'logging/trace-context',
  'run-worker/poll-probe',
  'sdk-version',
].map((file) => `test/${file}.test.ts`);

export default defineConfig({
  test: {
    ...common,
    projects: [
      { extends: true, test: { name: 'shared', include: sharing } },
      {
        extends: true,
        test: { name: 'alone', include: ['test/**/*.test.ts'], exclude: sharing, isolate: true },
      },
    ],
  },
});
