import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import { defineConfig } from 'tsdown';

const failureConverterPath = fileURLToPath(import.meta.resolve('@temporal-kms/kms-codec/failure-converter'));

// One folder that runs with Temporal's packages alone beside it: those load a native library and each other by name.
// Everything else is bundled, our own packages first of all, since they are TypeScript; `@temporalio/plugin` too, which
// is a dependency of theirs.
export default defineConfig({
  entry: {
    main: 'src/main.ts',
    start: 'src/start.ts',
    // The plugin looks for it beside the file that it stands in itself.
    'failure-converter': failureConverterPath,
  },
  format: 'esm',
  platform: 'node',
  target: 'node24',
  dts: false,
  sourcemap: true,
  shims: true,
  deps: {
    neverBundle: [/^@temporalio\/(?!plugin)/],
    alwaysBundle: [/^(?!@temporalio\/(?!plugin))/],
    onlyBundle: false,
  },
  hooks: {
    'build:done': async ({ options }) => {
      const { code } = await bundleWorkflowCode({
        workflowsPath: join(import.meta.dirname, 'src', 'workflows', 'index.ts'),
        failureConverterPath,
      });
      await writeFile(join(options.outDir, 'workflow-bundle.js'), code);
    },
  },
});
