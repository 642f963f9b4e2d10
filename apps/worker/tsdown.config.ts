import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import { copyPackages } from '@temporal-kms/scripts/copy-packages';
import { writeNodeEntry } from '@temporal-kms/scripts/node-entry';
import { writeWorkflowBundle } from '@temporal-kms/scripts/workflow-bundle';
import { defineConfig } from 'tsdown';

const failureConverterPath = fileURLToPath(import.meta.resolve('@temporal-kms/kms-codec/failure-converter'));

// Builds a self-contained folder. Temporal's packages remain files in the folder's node_modules, because they
// load a native library, and load each other by name. The bundle contains everything else: our packages,
// which are TypeScript, and their dependencies.
export default defineConfig({
  entry: {
    // A small entry file checks Node's version before it loads `app` or `starter`.
    app: 'src/main.ts',
    starter: 'src/start.ts',
    // The codec's plugin loads this file from the folder of the bundle.
    'failure-converter': failureConverterPath,
  },
  format: 'esm',
  platform: 'node',
  target: 'node24',
  dts: false,
  sourcemap: process.env['BUILD_SOURCE_MAPS'] === '1',
  shims: true,
  deps: {
    neverBundle: [/^@temporalio\/(?!plugin|envconfig)/],
    alwaysBundle: [/^(?!@temporalio\/(?!plugin|envconfig))/],
    onlyBundle: false,
  },
  hooks: {
    'build:done': async ({ options }) => {
      const workflowsPath = join(import.meta.dirname, 'src', 'workflows', 'index.ts');
      await writeWorkflowBundle(options.outDir, (webpackConfigHook) =>
        bundleWorkflowCode({ workflowsPath, failureConverterPath, webpackConfigHook }),
      );
      await writeNodeEntry(options.outDir, 'main', 'app.mjs');
      await writeNodeEntry(options.outDir, 'start', 'starter.mjs');
      await copyPackages(import.meta.dirname, options.outDir);
    },
  },
});
