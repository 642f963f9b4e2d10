import { publishedConfig } from '@temporal-kms/scripts/published';
import { defineConfig } from 'tsdown';

export const bundled: readonly string[] = [];

export default defineConfig(
  publishedConfig({
    name: '@temporal-kms/worker-kit',
    folder: import.meta.dirname,
    entry: { index: 'src/index.ts', logging: 'src/logging.ts' },
    bundled,
  }),
);
