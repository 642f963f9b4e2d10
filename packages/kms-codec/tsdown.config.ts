import { publishedConfig } from '@temporal-kms/scripts/published';
import { defineConfig } from 'tsdown';

export const bundled = ['p-retry', 'is-network-error'];

export default defineConfig(
  publishedConfig({
    name: '@temporal-kms/kms-codec',
    folder: import.meta.dirname,
    entry: {
      index: 'src/index.ts',
      'failure-converter': 'src/failure-converter.ts',
      'strict-yaml': 'src/config/strict-yaml.ts',
      testing: 'src/testing.ts',
    },
    bundled,
    sandboxed: ['failure-converter'],
  }),
);
