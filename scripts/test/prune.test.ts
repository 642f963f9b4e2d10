import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../src/project.ts';

/** What each application's build must leave in its folder. */
const artefacts = [
  { app: 'codec-server', files: ['dist/main.mjs', 'dist/text-worker.mjs'] },
  { app: 'decrypt-ui', files: ['dist/index.html'] },
  { app: 'key-admin', files: ['dist/main.mjs'] },
  { app: 'worker', files: ['dist/main.mjs', 'dist/failure-converter.mjs', 'dist/workflow-bundle.js'] },
];

let folder: string;
let packageManager: string;
beforeAll(async () => {
  ({ packageManager } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')));
  folder = await mkdtemp(join(tmpdir(), 'temporal-kms-prune-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The machine's settings (registry, certificates), this Node first, and nothing that pnpm or vitest set. */
const env = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(?!config)|pnpm_|VITEST|NODE_ENV$|TURBO_)/i.test(name),
    ),
  ),
  PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
  TURBO_TELEMETRY_DISABLED: '1',
};

const run = (cwd: string, file: string, ...args: string[]) =>
  execa(file, args, { cwd, env, extendEnv: false, all: true, timeout: 240_000 });

const pnpm = (cwd: string, ...args: string[]) => run(cwd, 'npx', '-y', packageManager, ...args);

describe('turbo prune', () => {
  // A container image is built from what `turbo prune` writes, so that must hold every file that the build reads.
  it.for(artefacts)(
    'writes a workspace in which $app builds',
    { timeout: 240_000 },
    async ({ app, files }) => {
      const workspace = join(folder, app);
      const turbo = join(projectRoot, 'node_modules', '.bin', 'turbo');
      await run(projectRoot, turbo, 'prune', `@temporal-kms/${app}`, '--out-dir', workspace);
      await pnpm(workspace, 'install', '--frozen-lockfile', '--prefer-offline');
      await pnpm(workspace, 'run', 'build');
      const missing = files.filter((file) => !existsSync(join(workspace, 'apps', app, file)));
      expect(missing, `${app}: the build ended well without these files`).toEqual([]);
    },
  );
});
