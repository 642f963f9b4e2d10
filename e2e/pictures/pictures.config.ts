import { defineConfig } from '@playwright/test';
import tests from '../playwright.config.ts';

/*
 * `pnpm pictures` takes the pictures for the docs on the stack of `DEV_AUTH=1 pnpm dev`, with the stack's
 * sample data.
 */

process.env['DEV_AUTH'] = '1';

export default defineConfig({
  ...tests,
  projects: [{}],
  workers: 1,
  testDir: '.',
  testMatch: 'pictures.ts',
  outputDir: '../.results/pictures',
  reporter: 'list',
  use: { ...tests.use, trace: 'off' },
});
