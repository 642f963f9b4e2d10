import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { type Child, startChild } from '../src/child.ts';
import { freePorts } from '../src/ports.ts';
import { projectRoot } from '../src/project.ts';
import { startTemporal } from '../src/temporal.ts';

/** The files that the build of each application must create in its folder. */
const artefacts = [
  { app: 'codec-server', files: ['main.mjs', 'app.mjs', 'text-worker.mjs'] },
  { app: 'decrypt-ui', files: ['index.html'] },
  {
    app: 'key-admin',
    files: ['main.mjs', 'app.mjs', 'scan-worker/main.mjs', 'scan-worker/workflow-bundle.js'],
  },
  {
    app: 'worker',
    files: ['main.mjs', 'app.mjs', 'start.mjs', 'failure-converter.mjs', 'workflow-bundle.js'],
  },
];
const aboutPackages = ['sbom.cdx.json', 'THIRD-PARTY-NOTICES.txt'];

let folder: string;
let packageManager: string;
beforeAll(async () => {
  ({ packageManager } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')));
  folder = await mkdtemp(join(tmpdir(), 'temporal-kms-prune-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The folder that docs/deploy.md calls /tmp/trial. */
const trial = () => join(folder, 'trial');

/**
 * An environment with the machine's settings (registry, certificates) and this Node first on the PATH, but
 * without variables that pnpm or vitest set.
 */
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
  // A container image is built from the workspace that `turbo prune` writes, so this workspace must contain
  // every file that the build reads.
  it.for(artefacts)(
    'writes a workspace in which $app builds into a folder that runs alone',
    { timeout: 240_000 },
    async ({ app, files }) => {
      const workspace = join(folder, app);
      const turbo = join(projectRoot, 'node_modules', '.bin', 'turbo');
      await run(projectRoot, turbo, 'prune', `@temporal-kms/${app}`, '--out-dir', workspace);
      await pnpm(workspace, 'install', '--frozen-lockfile', '--prefer-offline');
      await pnpm(workspace, 'run', 'build');
      const artefact = join(trial(), app);
      await cp(join(workspace, 'apps', app, 'dist'), artefact, { recursive: true, verbatimSymlinks: true });
      await rm(workspace, { recursive: true });
      const missing = [...files, ...aboutPackages].filter((file) => !existsSync(join(artefact, file)));
      expect(missing, `${app}: the build succeeded without these files`).toEqual([]);
      if (!files.includes('main.mjs')) return;
      const { stdout } = await run(artefact, process.execPath, 'main.mjs', '--version');
      expect(stdout).toBe(packageJson.version);
    },
  );
});

/** Returns the commands under a heading of docs/deploy.md, by block. */
async function blocksOf(heading: string): Promise<string[]> {
  const docs = await readFile(join(projectRoot, 'docs/deploy.md'), 'utf8');
  const [, section = ''] = docs.split(`\n### ${heading}\n`);
  return [...section.split(/^##/m)[0]!.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
}

async function until(what: string, isDone: () => boolean | Promise<boolean>, child: Child): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await isDone())) {
    if (child.hasEnded() || Date.now() > deadline) throw new Error(`${what}: ${child.tail()}`);
    await sleep(100);
  }
}

describe('the artefacts', () => {
  // The first block of commands installs, builds and copies as the tests above do, and starts Temporal and
  // the emulator.
  it('start together with the commands of docs/deploy.md', { timeout: 240_000 }, async () => {
    const [, start = '', check = ''] = await blocksOf('Without containers');
    const [kms, control, codec, health] = await freePorts(4);
    const temporal = await startTemporal();
    const cli = join(projectRoot, 'packages/kms-emulator/src/cli.ts');
    const ports = ['--port', String(kms), '--control-port', String(control)];
    const emulator = await startChild(process.execPath, [cli, ...ports], env);
    const variables = {
      ...env,
      TEMPORAL_ADDRESS: temporal.address,
      CODEC_PORT: String(codec),
      WORKER_HEALTH_PORT: String(health),
    };
    const shell = (commands: string) =>
      execa('bash', ['-ec', commands], { cwd: trial(), env: variables, extendEnv: false, all: true });
    const commands = `trap 'kill $(jobs -p); wait' EXIT; trap exit TERM; set -e\n${start}echo STARTED; wait`;
    let programs: Child | undefined;
    try {
      await until('The emulator', () => emulator.tail().includes('ready'), emulator);
      const cwd = `cd '${trial()}'\n${commands.replace('9061', String(kms))}`;
      const running = await startChild('bash', ['-c', cwd], variables);
      programs = running;
      await until('The programs', () => running.tail().includes('STARTED'), running);
      const url = `http://127.0.0.1:${codec}`;
      const get = (path: string) => fetch(`${url}${path}`).catch(() => undefined);
      await until('The codec server', async () => (await get('/readyz'))?.ok === true, running);
      expect(await (await get('/'))?.text()).toContain('<title>temporal-kms</title>');
      const doctor = await shell(check);
      expect(doctor.all).toMatch(/ok +codec server +the codec server decrypts a payload of default/);
      const isReady = async () => (await fetch(`http://127.0.0.1:${health}/readyz`)).ok;
      await until('The worker', () => isReady().catch(() => false), running);
    } finally {
      await programs?.stop('SIGTERM');
      await emulator.stop('SIGTERM');
      await temporal.close();
    }
  });
});
