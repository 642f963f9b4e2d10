import { writeNodeEntry } from '@temporal-kms/scripts/node-entry';
import { defineConfig } from 'tsdown';

/** Returns the options for a self-contained bundle, because the image contains no other files. */
const alone = (entry: Record<string, string>, clean: boolean) => ({
  entry,
  clean,
  platform: 'node' as const,
  target: 'node24',
  format: 'esm' as const,
  dts: false,
  sourcemap: process.env['BUILD_SOURCE_MAPS'] === '1',
  // Google's client looks for its JSON files next to `__dirname`, which a module has only with a shim.
  shims: true,
  outputOptions: { codeSplitting: false },
  deps: { alwaysBundle: [/.*/], onlyBundle: false as const },
});

// `main.mjs` checks Node's version and loads the server, `app.mjs`.
export default defineConfig([
  {
    ...alone({ app: 'src/main.ts' }, true),
    hooks: { 'build:done': ({ options }) => writeNodeEntry(options.outDir, 'main', 'app.mjs') },
  },
  alone({ 'text-worker': 'src/history/text-worker.ts' }, false),
]);
