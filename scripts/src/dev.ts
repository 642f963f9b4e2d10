/** `pnpm dev`: starts everything on this machine. Turborepo coordinates it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { startChild } from './child.ts';
import { requireDataVersion } from './dev/data-version.ts';
import {
  dataDir,
  devEnvironment,
  devPorts,
  hasSignIn,
  isRemote,
  policyFile,
  requireFreePorts,
  runsFrom,
  type Source,
  storageDir,
  storageFile,
} from './dev/environment.ts';
import { watchLaunchers } from './dev/launcher.ts';
import { writeSamplePolicy } from './dev/sign-in.ts';
import { tryLock } from './lock.ts';
import { projectRoot } from './project.ts';
import { findTemporalCli } from './temporal-cli.ts';

const help = (): string => `Usage: pnpm dev

Starts Temporal with its Web UI, a KMS emulator, the worker, the codec server, the dashboard and sample workflows.
Prints the URLs and the settings for Temporal's CLI when everything is ready. Ctrl-C, SIGTERM or SIGHUP stops
everything. The next start continues with the same data.

Variables:
${Object.values(devPorts({}))
  .map(({ variable, port, listener }) => `  ${variable.padEnd(22)} port of ${listener} (${port})`)
  .join('\n')}
  DEV_AUTH=1             requires sign-in: also starts an identity provider with sample people who have different permissions
  DEV_AUTH_TOKEN_SECONDS lifetime of the identity provider's tokens (3600)
  DEV_AUTH_REFRESH_TOKENS whether the identity provider issues refresh tokens (true)
  DEV_SHOP=0             start without the 60 orders of the sample shop (namespace shop)
  DEV_DATA_DIR           Temporal's database and the emulator's keys (.dev/data)
  DEV_FROM=artefacts     run the applications from \`dist/\` in empty folders, after \`pnpm build\`; the dashboard is served by Caddy
  DEV_FROM=images        run the container images, after \`pnpm images\`
  DEV_REMOTE=1           use your environment's Temporal server and Google project: starts neither Temporal,
                         nor the emulator, nor sample workflows
  AUDIT_FILE             audit of the codec server (audit.jsonl in DEV_DATA_DIR)
  LOG_LEVEL              log level of the worker and the codec server (error, because some samples fail on purpose)
  TEMPORAL_CLI_PATH      path of Temporal's CLI (default: on the PATH; otherwise installed)`;

async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const ports = devPorts(env);
  const remote = isRemote(env);
  const signIn = hasSignIn(env);
  const shop = env['DEV_SHOP'] !== '0';
  const from = runsFrom(env);
  // With a remote Temporal and Cloud KMS, only the applications listen on this machine.
  const wanted = remote ? [ports.codec, ports.worker, ports.ui] : Object.values(ports);
  await requireFreePorts(wanted.filter((port) => signIn || port !== ports.signIn));
  const data = dataDir(env);
  await mkdir(data, { recursive: true, mode: 0o700 });
  const lock = await tryLock(join(data, 'dev.lock'));
  if (!lock)
    throw new Error(`Another \`pnpm dev\` uses ${data}. Stop it, or set DEV_DATA_DIR to another folder.`);
  try {
    // The data folder contains payloads only if Temporal is local.
    if (!remote) await requireDataVersion(data);
    if (!remote) await writeStorageFile(env);
    if (!remote) await findTemporalCli({ onProgress: console.log });
    if (signIn) await writeSamplePolicy(policyFile(env), ports.signIn.port);
    return await runTurbo(devEnvironment(env, ports), { remote, signIn, shop, from });
  } finally {
    await lock.release();
  }
}

/** Lets the codec server read the large payloads of the samples. */
async function writeStorageFile(env: NodeJS.ProcessEnv): Promise<void> {
  const path = storageDir(env);
  await mkdir(path, { recursive: true, mode: 0o700 });
  // The path is relative, because in a container, the file and the directory have other paths.
  const store = { type: 'directory', bucket: 'dev-payloads', path: basename(path) };
  const content = JSON.stringify({ namespaces: { default: [store] } });
  // JSON is also YAML. The last line marks the file as complete.
  await writeFile(storageFile(env), `${content}\n...\n`, { mode: 0o600 });
}

/**
 * Turbo starts the tasks in order, so that the applications wait for `temporal:ready` and `kms:ready`. With a
 * remote Temporal and Cloud KMS, `--only` leaves out these two tasks.
 */
async function runTurbo(
  env: NodeJS.ProcessEnv,
  { remote, signIn, shop, from }: { remote: boolean; signIn: boolean; shop: boolean; from: Source },
): Promise<number> {
  const applications = from === 'sources' ? 'dev' : 'deployed:dev';
  // `deployed:dev` starts the emulator's image itself.
  const kms = from === 'images' ? [] : ['kms:dev'];
  const samples = ['dev:ready', 'dev:destroyed-key', ...(shop ? ['dev:shop'] : [])];
  const local = ['temporal:dev', ...kms, applications, ...samples];
  const tasks = remote
    ? [applications, 'dev:ready', '--only']
    : [...local, ...(signIn ? ['sign-in:dev', 'dev:on-demand'] : [])];
  const packages = ['--filter=./apps/*', '--filter=@temporal-kms/scripts'];
  const args = ['run', ...tasks, ...packages, '--ui=stream', `--cwd=${projectRoot}`];
  const turbo = await startChild(join(projectRoot, 'node_modules', '.bin', 'turbo'), args, env, 'inherit');
  let stopping = false;
  // Turbo's launcher forwards SIGTERM but not SIGINT. Turbo then gives its tasks ten seconds to end.
  const stop = () => {
    stopping = true;
    turbo.signal('SIGTERM');
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  await watchLaunchers(stop);
  const status = await turbo.exited;
  return stopping ? 0 : status;
}

try {
  if (process.argv.includes('--help')) console.log(help());
  else process.exitCode = await main(process.env);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
