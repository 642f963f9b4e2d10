import type { ViteUserConfig } from 'vitest/config';

// Our code rejects key and policy files that their group can write, and some systems create such files.
process.umask(0o022);

/** The base of every package's `vitest.config.ts`. `scripts/src/test.ts` adds up the JSON reports. */
export const shared: NonNullable<ViteUserConfig['test']> = {
  include: ['test/**/*.test.{ts,tsx}'],
  reporters: ['default', 'json'],
  outputFile: { json: '.results/vitest.json' },
  testTimeout: 30_000,
  hookTimeout: 120_000,
};
