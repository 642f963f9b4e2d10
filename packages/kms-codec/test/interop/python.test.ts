import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { contentOf, rebuild } from '@temporal-kms/scripts/rebuilt';
import { messageFiles } from '@temporal-kms/vectors/files';
import { findPython, passedTests, runScript } from '@temporal-kms/testing/python';

it('the Python implementation passes its tests, including every vector', async () => {
  const vectors = messageFiles.flatMap((file) => file.vectors);
  expect(await passedTests(await findPython())).toBeGreaterThan(vectors.length);
}, 720_000);

it('the Python implementation passes mypy’s type checks', async () => {
  await runScript(await findPython(), ['-m', 'mypy']);
}, 720_000);

it('the Python wheel and source archive have the same bytes when they are built elsewhere and later', async () => {
  const python = await findPython();
  const folder = await mkdtemp(join(tmpdir(), 'wheel-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await runScript(python, ['-m', 'hatchling', 'build', '--directory', folder]);
  const again = await rebuild('interop/python', python, '-m', 'hatchling', 'build', '--directory');
  const built = await contentOf(folder);
  expect(Object.keys(built)).toEqual(expect.arrayContaining([expect.stringMatching(/\.whl$/)]));
  expect(await contentOf(again)).toEqual(built);
}, 720_000);
