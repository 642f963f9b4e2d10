import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { projectRoot } from '../src/project.ts';
import { longProofs } from '../src/test/long-proofs.ts';

it('longProofs lists exactly the files that `pnpm test` leaves out or runs with fewer inputs', async () => {
  const found: string[] = [];
  const files = [
    '{apps,packages}/*/test/**/*.test.{ts,tsx}',
    '{deploy,scripts}/test/*.test.ts',
    'e2e/test/*.spec.ts',
  ];
  for await (const file of glob(files, { cwd: projectRoot }))
    if (
      file.includes('.long.') ||
      /process\.env\['SLOW'\]/.test(await readFile(join(projectRoot, file), 'utf8'))
    )
      found.push(file);
  expect(longProofs.map(({ directory, file }) => `${directory}/${file}`).toSorted()).toEqual(
    found.toSorted(),
  );
});
