import { shared } from '@temporal-kms/scripts/vitest';
import { defineConfig } from 'vitest/config';

// Vitest adds a project's `include` to that of the root, so the root must not have one.
const { include: _, ...common } = shared;

/**
 * Each of these test files runs in a separate process, because it replaces modules, or clocks or random
 * sources to which the codec's modules keep references; measures memory; installs Temporal's `Runtime`, which
 * a process can do only once; or tests what a process does only once.
 */
const alone = [
  'branch-keys/gcs-store',
  'branch-keys/setting',
  'crypto/random',
  'fuzz',
  'interop/temporal',
  'keys/cloud-kms',
  'keys/cloud-kms-outages',
  'keys/pauses',
  'keys/stalls',
  'keys/token-refusals',
  'metrics',
  'temporal/*',
  'testing',
].map((file) => `test/${file}.test.ts`);

export default defineConfig({
  test: {
    ...common,
    projects: [
      { extends: true, test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: alone } },
      { extends: true, test: { name: 'alone', include: alone, isolate: true } },
    ],
  },
});
