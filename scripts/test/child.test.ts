import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startChild } from '../src/child.ts';
import { projectRoot } from '../src/project.ts';

it('startChild starts children without core dumps', async () => {
  const child = await startChild('/bin/sh', ['-c', 'ulimit -S -c; ulimit -H -c'], process.env);
  expect(await child.exited).toBe(0);
  expect(child.tail()).toBe('0\n0');
});

/**
 * Matches exempt commands: commands that read no key and end without a signal, and commands that read the
 * source map.
 */
const endsAtOnce = /--help|main\.mjs(?:\.map| --version| verify-audit| audit-digest)\b/;

it('every command that starts the worker, codec server or starter passes --disable-sigusr1, so that SIGUSR1 opens no inspector', () => {
  const files = globSync(
    ['{apps/worker,apps/codec-server,scripts}/{package.json,README.md}', 'deploy/{systemd,docker}/*'],
    { cwd: projectRoot },
  );
  const starts = [...files, 'docs/deploy.md'].flatMap((file) =>
    readFileSync(join(projectRoot, file), 'utf8')
      .split('\n')
      .filter((line) => /node\b.*\b(main\.(ts|mjs)|start\.ts)\b/.test(line) && !endsAtOnce.test(line)),
  );
  expect(starts.length).toBeGreaterThan(7);
  expect(starts.filter((line) => !line.includes('--disable-sigusr1'))).toEqual([]);
});
