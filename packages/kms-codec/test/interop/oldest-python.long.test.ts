import { expect, it } from 'vitest';
import { messageFiles } from '@temporal-kms/vectors/files';
import { findOldestPython, passedTests, runScript } from '@temporal-kms/testing/python';

it('the Python package passes its tests with the oldest dependencies that it supports, and does not install the test peers', async () => {
  const python = await findOldestPython();
  const vectors = messageFiles.flatMap((file) => file.vectors);
  expect(await passedTests(python)).toBeGreaterThan(vectors.length);
  const report =
    'import temporal_kms, importlib.util; print(temporal_kms.__file__, importlib.util.find_spec("temporal_kms_peers"))';
  // -I makes Python ignore PYTHONPATH, so that it finds only installed packages.
  expect(await runScript(python, ['-I', '-c', report])).toMatch(/site-packages\S+ None$/m);
}, 720_000);
