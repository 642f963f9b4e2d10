import { join } from 'node:path';
import { copyPackages } from '@temporal-kms/scripts/copy-packages';
import { writeNodeEntry } from '@temporal-kms/scripts/node-entry';
import { writeWorkflowBundle } from '@temporal-kms/scripts/workflow-bundle';
import { bundleWorkflowCode } from '@temporalio/worker';
import { build, defineConfig } from 'tsdown';

const node = {
  platform: 'node',
  target: 'node24',
  format: 'esm',
  dts: false,
  sourcemap: process.env['BUILD_SOURCE_MAPS'] === '1',
  // Google's clients look for their JSON files in `__dirname`, which ES modules have only with a shim.
  shims: true,
} as const;

// Builds two files that need no other file: `main.mjs` checks Node's version and loads `app.mjs`. Only the
// workers of `scan --on-temporal` also need the folder `scan-worker`.
export default defineConfig({
  ...node,
  entry: { app: 'src/main.ts' },
  outputOptions: { codeSplitting: false },
  deps: { alwaysBundle: [/.*/], onlyBundle: false },
  hooks: {
    'build:done': async ({ options }) => {
      await writeNodeEntry(options.outDir, 'main', 'app.mjs');
      await buildScanWorker(join(options.outDir, 'scan-worker'));
    },
  },
});

/**
 * Temporal's packages remain files in the folder's node_modules, because they load a native library, and load
 * each other by name.
 */
async function buildScanWorker(outDir: string): Promise<void> {
  await build({
    ...node,
    config: false,
    cwd: import.meta.dirname,
    entry: { app: 'src/scan-worker/main.ts' },
    outDir,
    deps: {
      neverBundle: [/^@temporalio\/(?!plugin|envconfig)/],
      alwaysBundle: [/^(?!@temporalio\/(?!plugin|envconfig))/],
      onlyBundle: false,
    },
  });
  const workflowsPath = join(import.meta.dirname, 'src', 'scan', 'on-temporal', 'workflow.ts');
  await writeWorkflowBundle(outDir, (webpackConfigHook) =>
    bundleWorkflowCode({ workflowsPath, webpackConfigHook }),
  );
  await writeNodeEntry(outDir, 'main', 'app.mjs');
  await copyPackages(import.meta.dirname, outDir);
}
