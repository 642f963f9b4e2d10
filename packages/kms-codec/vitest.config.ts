import { shared } from '@temporal-kms/scripts/vitest';
import { defineConfig } from 'vitest/config';

// Isolates each file: several replace clocks or sources of randomness that the codec's modules keep, and
// others measure memory.
export default defineConfig({ test: { ...shared, isolate: true } });
