/**
 * The task `deployed:dev`, which DEV_FROM selects. The task runs the applications as they are deployed, and
 * not from their sources. With `artefacts`, the task copies each application's `dist/` into an empty folder,
 * and Caddy serves the dashboard. With `images`, the task runs the container images, including the emulator's
 * image, with the same restrictions as in docs/deploy.md.
 */
import { chmod, chown, cp, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { findCaddy } from '../caddy.ts';
import { type Child, startChild } from '../child.ts';
import { createEngine, type Mount, NONROOT } from '../images/engine.ts';
import { projectRoot } from '../project.ts';
import { emulatorArguments, isRemote, required, requiredPort, runsFrom } from './environment.ts';
import { waitUntilReady } from './ready.ts';
import { WITHIN_256_MIB } from '../small-memory.ts';

/** The processes that DEV_FROM selects. */
interface Deployment {
  readonly worker: Child;
  readonly codecServer: Child;
  readonly dashboard: Child;
  readonly emulator?: Child;
}

/**
 * The variables to pass to the applications' containers. None of these variables names a file on this
 * machine.
 */
const ofApplications =
  /^(TEMPORAL_(?!CONFIG_FILE|CLI_PATH)|GCP_|KMS_|GOOGLE_|CODEC_(?!STORAGE_FILE)|WORKER_|AUTH$|AUDIT_(?!FILE)|OTEL_|LOG_LEVEL$)/;

/** Returns the variables that the Caddyfile reads. People sign in at `pnpm dev`'s identity provider. */
function dashboardVariables(): Record<string, string> {
  const issuer = `http://127.0.0.1:${requiredPort('DEV_SIGN_IN_PORT')}`;
  const hasIssuer = process.env['AUTH'] === 'policy' && !isRemote(process.env);
  return {
    DASHBOARD_PORT: required('DEV_UI_PORT'),
    CODEC_UPSTREAM: `127.0.0.1:${requiredPort('DEV_CODEC_PORT')}`,
    ...(!isRemote(process.env) && {
      TEMPORAL_UI_URL: `http://127.0.0.1:${requiredPort('DEV_TEMPORAL_UI_PORT')}`,
    }),
    ...(hasIssuer && { CONNECT_SOURCES: issuer, FRAME_SOURCES: issuer }),
  };
}

async function startArtefacts(folder: string): Promise<Deployment> {
  const caddy = await findCaddy('the dashboard cannot be served');
  if (caddy === undefined)
    throw new Error(
      'DEV_FROM=artefacts needs Caddy: make PyPI reachable, or install Go (https://go.dev/dl/).',
    );
  const place = async (app: string): Promise<string> => {
    const to = join(folder, app);
    await cp(join(projectRoot, 'apps', app, 'dist'), to, { recursive: true, verbatimSymlinks: true }).catch(
      () => {
        throw new Error(`apps/${app}/dist does not exist. Run \`pnpm build\` first.`);
      },
    );
    return to;
  };
  const program = async (app: string): Promise<Child> => {
    const args = ['--disable-sigusr1', join(await place(app), 'main.mjs')];
    return await startChild(process.execPath, args, process.env, 'inherit');
  };
  const caddyfile = await readFile(join(projectRoot, 'deploy/docker/Caddyfile'), 'utf8');
  const config = join(folder, 'Caddyfile');
  await writeFile(config, caddyfile.replaceAll('/srv', await place('decrypt-ui')));
  const serve = ['run', '--config', config, '--adapter', 'caddyfile'];
  return {
    worker: await program('worker'),
    codecServer: await program('codec-server'),
    dashboard: await startChild(caddy, serve, { HOME: folder, ...dashboardVariables() }, 'inherit'),
  };
}

async function startImages(): Promise<Deployment> {
  const engine = createEngine();
  const variables = { ...process.env, KMS_EMULATOR_IN_PRODUCTION: '1' };
  const env = Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      value !== undefined && ofApplications.test(name) ? [[name, value]] : [],
    ),
  );
  const run = (target: string, memory: string, options: Partial<Parameters<typeof engine.attach>[1]>) =>
    engine.attach(target, { name: `tk-${target}-${requiredPort('DEV_UI_PORT')}`, memory, ...options });
  const emulator = isRemote(process.env) ? undefined : await startEmulator(run);
  const [policy, audit] = [process.env['POLICY_FILE'], process.env['AUDIT_FILE']];
  const storage = process.env['CODEC_STORAGE_FILE'];
  const mounts: Mount[] = [];
  if (policy) {
    await giveToImages(policy);
    mounts.push({ from: policy, to: '/etc/temporal-kms/policy.yaml', readOnly: true });
  }
  if (storage) mounts.push({ from: storage, to: '/etc/temporal-kms/storage.yaml', readOnly: true });
  if (storage && !isRemote(process.env)) {
    // The user of this process writes the payloads. The codec server can read the payloads as a member of the
    // directory's group.
    const payloads = required('DEV_STORAGE_DIR');
    await chown(payloads, process.getuid?.() ?? 0, NONROOT);
    await chmod(payloads, 0o2750);
    await chmod(storage, 0o644);
    mounts.push({ from: payloads, to: '/etc/temporal-kms/payloads', readOnly: true });
  }
  if (audit) {
    // Mounts only the audit file and its lock, because the folder also has other files. The server cannot
    // create the lock itself.
    for (const [from, to] of [
      [audit, '/var/log/audit.jsonl'],
      [join(dirname(audit), `.${basename(audit)}.lock`), '/var/log/.audit.jsonl.lock'],
    ] as const) {
      await (await open(from, 'a', 0o600)).close();
      await giveToImages(from);
      mounts.push({ from, to });
    }
  }
  return {
    ...(emulator && { emulator }),
    worker: await run('worker', '512m', { env }),
    codecServer: await run('codec-server', '256m', {
      env: {
        ...env,
        ...WITHIN_256_MIB,
        ...(policy && { POLICY_FILE: '/etc/temporal-kms/policy.yaml' }),
        ...(storage && { CODEC_STORAGE_FILE: '/etc/temporal-kms/storage.yaml' }),
        ...(audit && { AUDIT_FILE: '/var/log/audit.jsonl' }),
      },
      mounts,
    }),
    dashboard: await run('dashboard', '64m', { env: dashboardVariables() }),
  };
}

/** Makes a file accessible to programs in images. With a remote Temporal and Cloud KMS, changes no file. */
async function giveToImages(path: string): Promise<void> {
  if (!isRemote(process.env)) await chown(path, NONROOT, NONROOT);
}

async function startEmulator(
  run: (target: string, memory: string, options: { args: string[]; mounts: Mount[] }) => Promise<Child>,
): Promise<Child> {
  const data = join(required('DEV_DATA_DIR'), 'kms');
  await mkdir(data, { recursive: true, mode: 0o700 });
  await giveToImages(data);
  const args = ['dist/cli.mjs', ...emulatorArguments('/data/kms-emulator.json')];
  const emulator = await run('kms-emulator', '256m', { args, mounts: [{ from: data, to: '/data' }] });
  await waitUntilReady(`127.0.0.1:${requiredPort('DEV_KMS_PORT')}`);
  return emulator;
}

const folder = await mkdtemp(join(tmpdir(), 'temporal-kms-artefacts-'));
try {
  const { emulator, ...applications } =
    runsFrom(process.env) === 'images' ? await startImages() : await startArtefacts(folder);
  const children = Object.values(applications);
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      stopping = true;
      for (const child of children) child.signal('SIGTERM');
    });
  const ended = await Promise.race(children.map((child) => child.exited));
  if (!stopping) console.error(`An application ended with status ${ended}.`);
  if (!stopping) process.exitCode = 1;
  for (const child of children) child.signal('SIGTERM');
  await Promise.all(children.map((child) => child.exited));
  await emulator?.stop();
} finally {
  await rm(folder, { recursive: true, force: true });
}
