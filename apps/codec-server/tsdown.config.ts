import { defineConfig } from 'tsdown';

/** One file that runs alone, `node main.mjs`, in an image that holds nothing else. */
export default defineConfig({
  entry: ['src/main.ts'],
  platform: 'node',
  target: 'node24',
  format: 'esm',
  dts: false,
  // Google's client looks for its JSON files beside `__dirname`, which a module has only with a shim.
  shims: true,
  outputOptions: { codeSplitting: false },
  deps: { alwaysBundle: [/.*/], onlyBundle: false },
});
