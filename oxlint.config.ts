import { defineConfig } from 'oxlint';

import { importRules } from './scripts/src/lint-imports.ts';

export default defineConfig({
  plugins: ['typescript', 'import', 'unicorn', 'react', 'jsx-a11y', 'promise'],
  categories: { correctness: 'error', suspicious: 'error' },
  rules: {
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-non-null-assertion': 'error',
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'react/react-in-jsx-scope': 'off',
    'no-console': 'error',
    'no-underscore-dangle': ['error', { allow: ['_default', '_zod'] }],
    'consistent-return': 'off',
    'typescript/consistent-return': 'off',
  },
  overrides: [
    {
      files: ['**/test/**', '**/*.bench.ts', 'e2e/**', '**/examples/**'],
      rules: { 'typescript/no-non-null-assertion': 'off', 'typescript/no-explicit-any': 'off' },
    },
    { files: ['scripts/**', '**/bench/**', '**/examples/**'], rules: { 'no-console': 'off' } },
    {
      files: ['apps/decrypt-ui/**'],
      rules: {
        // Virtual rows are positioned individually, which table elements do not allow; the roles follow ARIA's grid.
        'jsx-a11y/prefer-tag-over-role': 'off',
        // This rule reports libraries that React's compiler skips, but this build does not use that compiler.
        'react/incompatible-library': 'off',
        // This rule mistakes zod/mini's `catch` for a promise's method, whose arguments TypeScript checks anyway.
        'promise/valid-params': 'off',
        'import/no-unassigned-import': ['error', { allow: ['**/*.css'] }],
        // Text that scrolls must be reachable with the keyboard.
        'jsx-a11y/no-noninteractive-tabindex': ['error', { tags: [], roles: ['group', 'tabpanel'] }],
      },
    },
    ...importRules,
  ],
  ignorePatterns: ['dist', 'node_modules', '.dev'],
});
