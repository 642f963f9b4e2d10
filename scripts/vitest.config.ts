import { defineConfig } from 'vitest/config';
import { shared } from './src/vitest.ts';

export default defineConfig({ test: shared });
