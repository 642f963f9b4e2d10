import { defineConfig } from 'vitest/config';
import { shared } from '@temporal-kms/scripts/vitest';

export default defineConfig({ test: shared });
