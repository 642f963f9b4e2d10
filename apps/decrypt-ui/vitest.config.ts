import { chromiumArguments, findChromium } from '@temporal-kms/scripts/browser';
import { shared } from '@temporal-kms/scripts/vitest';
import react from '@vitejs/plugin-react';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

const page = ['test/page/**/*.test.tsx'];
const launchOptions = { executablePath: await findChromium(), args: [...chromiumArguments] };

export default defineConfig({
  test: {
    ...shared,
    projects: [
      {
        extends: true,
        test: { name: 'model', environment: 'node', exclude: page },
      },
      {
        extends: true,
        plugins: [react()],
        test: {
          name: 'page',
          include: page,
          testTimeout: 60_000,
          globalSetup: ['test/page/setup-server.ts'],
          setupFiles: ['test/page/setup-page.ts'],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            viewport: { width: 1440, height: 900 },
            // Motion would only take the time that the tests need.
            provider: playwright({ launchOptions, contextOptions: { reducedMotion: 'reduce' } }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
