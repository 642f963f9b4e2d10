import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { projectRoot } from '../src/project.ts';
import { longProofs } from '../src/test/long-proofs.ts';

it('longProofs lists exactly the files that `pnpm test` leaves out or runs with fewer inputs', async () => {
  const found: string[] = [];
  for await (const file of glob('{apps,packages}/*/test/**/*.test.{ts,tsx}', { cwd: projectRoot }))
    if (file.includes('.long.') || (await readFile(join(projectRoot, file), 'utf8')).includes("env['SLOW']"))
      found.push(file);
  for await (const file of glob(['{deploy,scripts}/test/*.long.test.ts', 'e2e/test/*.long.spec.ts'], {
    cwd: projectRoot,
  }))
    found.push(file);
  expect(longProofs.map(({ directory, file }) => `${directory}/${file}`).toSorted()).toEqual(
    found.toSorted(),
  );
});
