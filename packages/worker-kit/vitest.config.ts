import { shared } from '@temporal-kms/scripts/vitest';
import { defineConfig } from 'vitest/config';

// Temporal's SDK permits one `Runtime` per process, and many of the test files install a `Runtime`.
export default defineConfig({ test: { ...shared, isolate: true } });
