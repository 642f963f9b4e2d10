import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from '@playwright/test';
import { chromiumArguments, findChromium } from '@temporal-kms/scripts/browser';
import { ownPorts, readyWord } from '@temporal-kms/scripts/dev';

const root = join(import.meta.dirname, '..');

// The stack under test has its own ports and data, so that it does not disturb a running `pnpm dev`. Playwright reads this
// file again in its worker process, which inherits the variables. The data stays after the run, to investigate a failure.
// Tools such as knip read this file too, also while tests run.
if (!process.env['TEST_WORKER_INDEX'] && process.argv.includes('test')) {
  Object.assign(process.env, await ownPorts(), { DEV_DATA_DIR: join(root, '.dev', 'e2e') });
  rmSync(join(root, '.dev', 'e2e'), { recursive: true, force: true });
}

export default defineConfig({
  testDir: 'test',
  outputDir: '.results/traces',
  workers: 1,
  timeout: 120_000,
  // Two cores run the whole stack and a browser, so a correct page may be slow.
  expect: { timeout: 20_000 },
  // `pnpm test` lists what passes only at the second attempt.
  retries: 1,
  forbidOnly: true,
  reporter: [['list'], ['json', { outputFile: '.results/playwright.json' }]],
  use: {
    baseURL: `http://127.0.0.1:${process.env['DEV_UI_PORT']}`,
    launchOptions: { executablePath: await findChromium(), args: [...chromiumArguments] },
    trace: 'retain-on-failure',
  },
  webServer: {
    name: 'dev',
    command: `"${process.execPath}" "${join(root, 'scripts', 'src', 'dev.ts')}"`,
    wait: { stdout: new RegExp(readyWord) },
    timeout: 120_000,
    gracefulShutdown: { signal: 'SIGINT', timeout: 20_000 },
  },
});
