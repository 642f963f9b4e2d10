import { shared } from '@temporal-kms/scripts/vitest';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    ...shared,
    // Most tests wait: for the end of an outage, for a timeout, for Temporal. On a busy machine a worker may need half a
    // minute to bundle its workflows.
    maxWorkers: 2,
    testTimeout: 90_000,
    hookTimeout: 180_000,
  },
});
