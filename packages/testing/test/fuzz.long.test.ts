import { expect, it } from 'vitest';
import { fuzz, fuzzRuns } from '../src/fuzz/run.ts';

const SECONDS = 40;

it.each(await fuzzRuns())(
  '$name violates no property for inputs that libFuzzer finds',
  async (run) => {
    const result = await fuzz(run, SECONDS);
    process.stdout.write(`fuzz ${run.name}: ${JSON.stringify(result)}\n`);
    expect(result.inputs).toBeGreaterThan(SECONDS);
  },
  (SECONDS + 300) * 1_000,
);
