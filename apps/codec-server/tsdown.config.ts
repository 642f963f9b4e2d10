import { defineConfig } from 'tsdown';

/** Files that run alone, `node main.mjs`, in an image that holds nothing else; each is whole by itself. */
const alone = (entry: string, clean: boolean) => ({
  entry: [entry],
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

export default defineConfig([alone('src/main.ts', true), alone('src/history/text-worker.ts', false)]);
