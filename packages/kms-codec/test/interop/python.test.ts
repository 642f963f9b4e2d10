import { expect, it } from 'vitest';
import { messageFiles } from '@temporal-kms/vectors/files';
import { findPython, passedTests, runScript } from '@temporal-kms/testing/python';

it('the Python implementation passes its tests, including every vector', async () => {
  const vectors = messageFiles.flatMap((file) => file.vectors);
  expect(await passedTests(await findPython())).toBeGreaterThan(vectors.length);
}, 720_000);

it('the Python implementation passes mypy’s type checks', async () => {
  await runScript(await findPython(), ['-m', 'mypy']);
}, 720_000);
