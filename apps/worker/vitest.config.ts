import { shared } from '@temporal-kms/scripts/vitest';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    ...shared,
    // Most of a test's time is waiting: for an outage to pass, for a timeout, for Temporal. Under load a worker may
    // need half a minute to bundle its workflows.
    maxWorkers: 2,
    testTimeout: 90_000,
    hookTimeout: 180_000,
  },
});
