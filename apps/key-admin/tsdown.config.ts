import { defineConfig } from 'tsdown';

// One file that runs alone: `node main.mjs`.
export default defineConfig({
  entry: ['src/main.ts'],
  platform: 'node',
  target: 'node24',
  format: 'esm',
  dts: false,
  // Google's clients look for their JSON files next to `__dirname`, which a module has only with a shim.
  shims: true,
  outputOptions: { codeSplitting: false },
  deps: { alwaysBundle: [/.*/], onlyBundle: false },
});
