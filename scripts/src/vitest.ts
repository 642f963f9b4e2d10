import type { ViteUserConfig } from 'vitest/config';

// Keys and policy files that their group can write are refused, and some systems create files so.
process.umask(0o022);

/** What every package's `vitest.config.ts` starts from: a JSON report that `scripts/src/test.ts` adds up. */
export const shared: NonNullable<ViteUserConfig['test']> = {
  include: ['test/**/*.test.{ts,tsx}'],
  reporters: ['default', 'json'],
  outputFile: { json: '.results/vitest.json' },
  testTimeout: 30_000,
  hookTimeout: 120_000,
};
