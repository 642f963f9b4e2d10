import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeEntry } from '../src/node-entry.ts';

/**
 * Matches syntax that is newer than ES5, except for `import()`, and imports that would load before the check.
 */
const modern =
  /\b(?:const|let|class|async|await|using)\b|=>|`|\.\.\.|[?]{2}|[?]\.|\bimport\s+[^(]|\bimport\{/;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'node-entry-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a program through an entry. */
async function run(program: string, needed?: number) {
  await writeFile(join(folder, 'app.mjs'), program);
  await writeFile(join(folder, 'main.mjs'), nodeEntry('app.mjs', needed));
  return await execa(process.execPath, ['main.mjs', '--flag'], { cwd: folder, reject: false });
}

describe('a built program’s entry point', () => {
  it('contains only syntax that old versions of Node can read, and loads no module before the check', () => {
    const text = nodeEntry('app.mjs');
    expect(text.replaceAll(/'[^']*'/g, "''")).not.toMatch(modern);
    expect(text.indexOf('import(')).toBeGreaterThan(text.indexOf('process.exit(78)'));
  });

  it('reports the required and the running version, and exits with 78, before the program is parsed', async () => {
    const ended = await run('this is no JavaScript', 99);
    expect(ended.exitCode).toBe(78);
    expect(ended.stderr).toContain(`needs Node 99 or later. This is Node ${process.versions.node}`);
    expect(ended.stderr).not.toContain('SyntaxError');
  });

  it('runs the program with its arguments', async () => {
    const ended = await run('await 0; console.log(process.argv[2]); process.exitCode = 3;');
    expect(ended).toMatchObject({ exitCode: 3, stdout: '--flag', stderr: '' });
  });
});
