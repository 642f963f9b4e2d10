import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: ['src/index.ts', 'src/failure-converter.ts', 'src/strict-yaml.ts', 'src/worker-logging.ts'],
  dts: true,
});
