import { chromiumArguments, findChromium } from '@temporal-kms/scripts/browser';
import { shared } from '@temporal-kms/scripts/vitest';
import react from '@vitejs/plugin-react';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

// The page tests run React's production build, as users do. The production build takes half the CPU time of the
// development build.
process.env['NODE_ENV'] = 'production';

// The root configuration has no `include`, because Vitest would add each project's `include` to it. The page tests use
// Vitest’s default number of workers, because a page keeps a core busy.
const { include: _, maxWorkers: _default, ...common } = shared;
const launchOptions = { executablePath: await findChromium(), args: [...chromiumArguments] };

export default defineConfig({
  test: {
    ...common,
    projects: [
      { extends: true, test: { name: 'node', environment: 'node', include: ['test/**/*.test.ts'] } },
      {
        extends: true,
        plugins: [react()],
        // These libraries are loaded on demand. If Vite discovered one of them during a test, it would reload the page.
        optimizeDeps: {
          include: [
            ...['autocomplete', 'combobox', 'dialog', 'menu', 'popover', 'tooltip'].map(
              (part) => `@base-ui/react/${part}`,
            ),
            'dompurify',
            'marked',
            'react-dom/client',
          ],
        },
        test: {
          name: 'page',
          include: ['test/**/*.test.tsx'],
          // The first page that a test file opens may wait for Vite to transform its modules.
          expect: { poll: { timeout: 30_000 } },
          // Retries failed tests, because two cores may run four suites at once. `pnpm test` lists the tests that pass
          // only on the second attempt.
          retry: 1,
          globalSetup: ['test/support/setup-server.ts'],
          // Test files share a page, because a new page takes about a second of CPU time to load the application again.
          // The setup file removes what a test leaves in the page.
          setupFiles: ['test/support/setup-page.ts'],
          browser: {
            enabled: true,
            headless: true,
            // Only a debugger in the browser would read the source maps of dependencies.
            dependencySourcemaps: false,
            // With empty caches on a busy machine, the first page may take longer than the default limit of a minute.
            connectTimeout: 180_000,
            screenshotFailures: false,
            viewport: { width: 1440, height: 900 },
            // Animations would only slow the tests down.
            provider: playwright({ launchOptions, contextOptions: { reducedMotion: 'reduce' } }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
