import { beforeAll, expect, it } from 'vitest';
import { vectorFiles } from '../support/vectors.ts';
import { findPython, runModule } from './support/python.ts';

let python: string;

beforeAll(async () => {
  python = await findPython();
}, 600_000);

it('passes the tests of the Python implementation, including every vector', async () => {
  const report = await runModule(python, ['pytest', '-q', '-p', 'no:cacheprovider', '--color=no']);
  const passed = Number(/(\d+) passed/.exec(report)?.[1]);
  expect(passed).toBeGreaterThan(vectorFiles.flatMap(({ vectors }) => vectors).length);
}, 120_000);
