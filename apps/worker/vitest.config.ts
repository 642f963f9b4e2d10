import { shared } from '@temporal-kms/scripts/vitest';
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: shared });
