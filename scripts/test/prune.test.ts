import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { projectRoot } from '../src/project.ts';

/** What each application's build must leave in its folder. */
const artefacts = [
  { app: 'codec-server', files: ['main.mjs', 'text-worker.mjs'] },
  { app: 'decrypt-ui', files: ['index.html'] },
  { app: 'key-admin', files: ['main.mjs', 'scan-worker/main.mjs', 'scan-worker/workflow-bundle.js'] },
  { app: 'worker', files: ['main.mjs', 'failure-converter.mjs', 'workflow-bundle.js'] },
];
const aboutPackages = ['sbom.cdx.json', 'THIRD-PARTY-NOTICES.txt'];

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
    'writes a workspace in which $app builds into a folder that runs alone',
    { timeout: 240_000 },
    async ({ app, files }) => {
      const workspace = join(folder, app);
      const turbo = join(projectRoot, 'node_modules', '.bin', 'turbo');
      await run(projectRoot, turbo, 'prune', `@temporal-kms/${app}`, '--out-dir', workspace);
      await pnpm(workspace, 'install', '--frozen-lockfile', '--prefer-offline');
      await pnpm(workspace, 'run', 'build');
      const artefact = join(folder, `${app}-alone`);
      await cp(join(workspace, 'apps', app, 'dist'), artefact, { recursive: true, verbatimSymlinks: true });
      await rm(workspace, { recursive: true });
      const missing = [...files, ...aboutPackages].filter((file) => !existsSync(join(artefact, file)));
      expect(missing, `${app}: the build ended well without these files`).toEqual([]);
      if (!files.includes('main.mjs')) return;
      const { stdout } = await run(artefact, process.execPath, 'main.mjs', '--version');
      expect(stdout).toBe(packageJson.version);
    },
  );
});
