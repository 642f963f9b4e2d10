import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { defineConfig } from '@playwright/test';
import { chromiumArguments, findChromium } from '@temporal-kms/scripts/browser';
import { buildDashboard } from '@temporal-kms/scripts/dashboard';
import { ownPorts, readyWord } from '@temporal-kms/scripts/dev';

const root = join(import.meta.dirname, '..');

// The stack under test has its own ports and data, so that it does not disturb a running `pnpm dev`.
// Playwright reads this file again in its worker processes, which inherit the variables. The data remains
// after the run, so that people can investigate a failure. This condition excludes tools such as knip, which may read
// this file while tests run.
if (!process.env['TEST_WORKER_INDEX'] && process.argv.includes('test')) {
  const files = process.argv.filter((argument) => /\.spec(\.ts)?(:\d+)*$/.test(argument));
  // Two long tests may run at the same time, so their data folders have different names.
  const data = join(root, '.dev', ['e2e', ...files.map((file) => basename(file))].join('-'));
  rmSync(data, { recursive: true, force: true });
  Object.assign(process.env, await ownPorts(), {
    DEV_DATA_DIR: data,
    // Uses the built dashboard, as in a deployment, so that a page loads a few files instead of hundreds.
    // restart.spec.ts tests the dashboard from its sources.
    DEV_DASHBOARD_DIR: join(await buildDashboard(), 'dist'),
    // If the command line names files, Playwright runs only these files, without the tests that run before
    // and after all others.
    E2E_FILES: files.length > 0 ? '1' : '',
  });
}

/** Tests that run alone: `outage` stops Cloud KMS, and other tests would add entries to what `audit` reads. */
const alone = ['audit', 'outage'].map((name) => `${name}.spec.ts`);
/** Tests that share a stack with sign-in, so that only one Playwright worker starts this stack. */
const signedIn = ['sign-in.spec.ts', 'signed-in-screens.spec.ts'];
const first = 'dev.spec.ts';
/** Long tests run only with `pnpm test:long`, which sets SLOW and names the files. */
const long = process.env['SLOW'] ? [] : ['*.long.spec.ts'];

export default defineConfig({
  testDir: 'test',
  testIgnore: long,
  outputDir: '.results/traces',
  // Two tests can run at a time, because each has its own browser context, and most tests only read.
  workers: process.env['E2E_FILES'] ? 1 : 2,
  ...(!process.env['E2E_FILES'] && {
    projects: [
      { name: 'first', testMatch: first, teardown: 'last' },
      { name: 'signed-in', testMatch: signedIn, workers: 1, dependencies: ['first'] },
      { name: 'together', testIgnore: [first, ...signedIn, ...alone, ...long], dependencies: ['first'] },
      // A teardown runs last, even if other tests failed.
      { name: 'last', testMatch: alone, workers: 1 },
    ],
  }),
  timeout: 180_000,
  // Two cores run the whole stack and a browser, so a correct page may be slow.
  expect: { timeout: 40_000 },
  // `pnpm test` lists the tests that pass only on the second attempt.
  retries: 1,
  forbidOnly: true,
  reporter: [['list'], ['json', { outputFile: '.results/playwright.json' }]],
  use: {
    baseURL: `http://127.0.0.1:${process.env['DEV_UI_PORT']}`,
    launchOptions: { executablePath: await findChromium(), args: [...chromiumArguments] },
    // Recording a trace of every test would use a large part of a core.
    trace: 'on-first-retry',
    // Endless animations would use a large part of a core. journeys.spec.ts turns animations on.
    contextOptions: { reducedMotion: 'reduce' },
    // Below the test's limit, so that the error states which action is not possible.
    actionTimeout: 60_000,
    screenshot: 'only-on-failure',
  },
  webServer: {
    name: 'dev',
    command: `"${process.execPath}" "${join(root, 'scripts', 'src', 'dev.ts')}"`,
    wait: { stdout: new RegExp(readyWord) },
    // With empty caches and other suites running, the start takes a minute.
    timeout: 300_000,
    gracefulShutdown: { signal: 'SIGINT', timeout: 20_000 },
  },
});
