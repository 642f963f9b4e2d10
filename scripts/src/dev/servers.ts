/**
 * The tasks `temporal:dev` and `kms:dev`: `servers.ts temporal` runs a Temporal server whose Web UI uses our
 * codec server, and `servers.ts kms` runs the KMS emulator.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild } from '../child.ts';
import { isPortTaken } from '../ports.ts';
import { projectRoot } from '../project.ts';
import { startTemporal } from '../temporal.ts';
import { DATABASE } from './data-version.ts';
import { emulatorArguments, required, requiredPort } from './environment.ts';
import { ON_DEMAND_NAMESPACE, SHOP_NAMESPACE } from './sign-in.ts';

/**
 * Maximum time to wait until the worker has stopped. This time must be well below ten seconds, because turbo
 * kills a task ten seconds after its signal.
 */
const WAIT_FOR_WORKER_MS = 5_000;

interface Server {
  readonly exited: Promise<number>;
  tail(): string;
  close(): Promise<void>;
}

async function startTemporalServer(): Promise<Server> {
  const server = await startTemporal({
    port: requiredPort('DEV_TEMPORAL_PORT'),
    uiPort: requiredPort('DEV_TEMPORAL_UI_PORT'),
    dbFile: join(required('DEV_DATA_DIR'), DATABASE),
    namespaces: [SHOP_NAMESPACE, ...(process.env['DEV_AUTH'] === '1' ? [ON_DEMAND_NAMESPACE] : [])],
    codecEndpoint: `http://127.0.0.1:${requiredPort('DEV_CODEC_PORT')}`,
  });
  console.log(`Temporal listens on ${server.address}, its Web UI on ${server.uiUrl}`);
  return server;
}

async function startKmsEmulator(): Promise<Server> {
  const cli = join(projectRoot, 'packages', 'kms-emulator', 'src', 'cli.ts');
  const args = emulatorArguments(join(required('DEV_DATA_DIR'), 'kms-emulator.json'));
  const child = await startChild(process.execPath, [cli, ...args], process.env, 'inherit');
  return { exited: child.exited, tail: () => '', close: () => child.stop() };
}

const [name] = process.argv.slice(2);
const server = await (name === 'kms' ? startKmsEmulator() : startTemporalServer());

let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop());

/**
 * Stops this server when the worker has stopped listening, or after `WAIT_FOR_WORKER_MS`. Turbo signals all tasks at
 * the same time, but the worker needs both servers for its graceful shutdown.
 */
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  const worker = requiredPort('DEV_WORKER_PORT');
  const deadline = Date.now() + WAIT_FOR_WORKER_MS;
  while (Date.now() < deadline && (await isPortTaken(worker))) await sleep(100);
  await server.close();
}

await server.exited;
if (!stopping) {
  console.error(`The ${name} server ended unexpectedly. ${server.tail()}`);
  process.exitCode = 1;
}
