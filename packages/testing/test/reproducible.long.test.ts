import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { projectRoot } from '@temporal-kms/scripts/project';
import { contentOf, rebuild } from '@temporal-kms/scripts/rebuilt';
import { execa } from 'execa';
import { expect, it, onTestFinished, vi } from 'vitest';
import { pack, repack } from '../src/published.ts';
import { findPython } from '../src/python.ts';

// Vitest sets NODE_ENV to `test`, and Vite would build the dashboard for that environment.
vi.stubEnv('NODE_ENV', 'production');

const python = await findPython();
const tsdown = [process.execPath, 'node_modules/tsdown/dist/run.mjs', '--out-dir'];
const vite = [process.execPath, 'node_modules/vite/bin/vite.js', 'build', '--outDir'];
const hatchling = [python, '-m', 'hatchling', 'build', '--directory'];

it.each([
  { directory: 'apps/codec-server', command: tsdown, file: 'main.mjs' },
  { directory: 'apps/decrypt-ui', command: vite, file: 'index.html' },
  { directory: 'apps/key-admin', command: tsdown, file: 'main.mjs' },
  { directory: 'apps/worker', command: tsdown, file: 'main.mjs' },
  { directory: 'interop/python', command: hatchling, file: expect.stringMatching(/\.whl$/) },
])(
  'a build of $directory has the same files in another folder, at another time',
  { timeout: 360_000 },
  async ({ directory, command, file }) => {
    const folder = await mkdtemp(join(tmpdir(), 'build-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [program = '', ...args] = command;
    await execa(program, [...args, folder], { cwd: join(projectRoot, directory) });
    const built = await contentOf(folder);
    expect(Object.keys(built)).toContainEqual(file);
    expect(await contentOf(await rebuild(directory, ...command))).toEqual(built);
  },
);

it.each(['kms-codec', 'worker-kit'])(
  'the tarball of %s has the same bytes when it is packed in another folder, at another time',
  { timeout: 360_000 },
  async (name) => {
    const folder = join(projectRoot, 'packages', name);
    const tarball = await pack(folder);
    expect(await contentOf(await repack(folder))).toEqual(await contentOf(dirname(tarball)));
  },
);
