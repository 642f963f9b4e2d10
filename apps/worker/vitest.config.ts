import { shared } from '@temporal-kms/scripts/vitest';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    ...shared,
    // On a busy machine, a worker may take half a minute to bundle its workflows.
    testTimeout: 90_000,
    hookTimeout: 180_000,
  },
});
