import { shared } from '@temporal-kms/scripts/vitest';
import { defineConfig } from 'vitest/config';

// Several files replace clocks or sources of randomness that the codec's modules keep, or measure memory.
export default defineConfig({ test: { ...shared, isolate: true } });
