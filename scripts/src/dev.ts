/** The root's `dev`: everything on this machine, coordinated by Turborepo. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild } from './child.ts';
import { dataDir, devEnvironment, isRemote } from './dev/environment.ts';
import { devPorts, requireFreePorts } from './dev/ports.ts';
import { tryLock } from './lock.ts';
import { projectRoot } from './project.ts';
import { findTemporalCli } from './temporal-cli.ts';

const help = (): string => `Usage: pnpm dev

Starts Temporal with its Web UI, a KMS emulator, the worker, the codec server, the dashboard and sample workflows.
One line says when everything is ready, and where. Ctrl-C ends everything; the next start finds the data again.

Variables:
${Object.values(devPorts({}))
  .map(({ variable, port, listener }) => `  ${variable.padEnd(22)} port of ${listener} (${port})`)
  .join('\n')}
  DEV_DATA_DIR           Temporal's database and the emulator's keys (.dev/data)
  DEV_REMOTE=1           the exported Temporal and Google Cloud instead: no servers, no sample workflows
  LOG_LEVEL              of the worker and the codec server (error, because the samples fail on purpose)
  TEMPORAL_CLI_PATH      Temporal's CLI, where it isn't to be looked for`;

async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const ports = devPorts(env);
  const remote = isRemote(env);
  // With a remote Temporal and KMS only the apps listen here.
  await requireFreePorts(remote ? [ports.codec, ports.worker, ports.ui] : Object.values(ports));
  const data = dataDir(env);
  await mkdir(data, { recursive: true, mode: 0o700 });
  const lock = await tryLock(join(data, 'dev.lock'));
  if (!lock) throw new Error(`Another dev uses ${data}. Stop it, or set DEV_DATA_DIR to another folder.`);
  try {
    if (!remote) await findTemporalCli({ onProgress: console.log });
    return await runTurbo(devEnvironment(env, ports), remote);
  } finally {
    await lock.release();
  }
}

/**
 * Turbo keeps the order: the apps wait for the probes `temporal:ready` and `kms:ready`. With a remote Temporal and KMS
 * (`--only`: without those) the apps alone: no server, no emulator, no sample data.
 */
async function runTurbo(env: NodeJS.ProcessEnv, remote: boolean): Promise<number> {
  const tasks = remote
    ? ['dev', 'dev:ready', '--only']
    : ['temporal:dev', 'kms:dev', 'dev', 'dev:ready', 'dev:destroyed-key'];
  const packages = ['--filter=./apps/*', '--filter=@temporal-kms/scripts'];
  const args = ['run', ...tasks, ...packages, '--ui=stream', `--cwd=${projectRoot}`];
  const turbo = await startChild(join(projectRoot, 'node_modules', '.bin', 'turbo'), args, env, 'inherit');
  let asked = false;
  // Turbo's launcher leaves SIGINT to the terminal; it passes SIGTERM on, and turbo gives its tasks ten seconds.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      asked = true;
      turbo.signal('SIGTERM');
    });
  }
  const status = await turbo.exited;
  return asked ? 0 : status;
}

try {
  if (process.argv.includes('--help')) console.log(help());
  else process.exitCode = await main(process.env);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
