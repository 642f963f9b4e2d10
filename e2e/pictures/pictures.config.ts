import { defineConfig } from '@playwright/test';
import tests from '../playwright.config.ts';

/* `pnpm pictures`: takes the docs' pictures on the stack of `DEV_AUTH=1 pnpm dev`, with its sample data. */

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
