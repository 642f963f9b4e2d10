import { shared } from '@temporal-kms/scripts/vitest';
import { defineConfig } from 'vitest/config';

// Isolates each test file, because some files replace clocks or sources of randomness that the codec's
// modules keep, and others measure memory.
export default defineConfig({ test: { ...shared, isolate: true } });
