import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createKmsCodec, kmsEnvironment, type KmsCodec, type KmsSettings } from '@temporal-kms/kms-codec';
import { KmsWorkerPlugin, runWorker, type WorkerCodec } from '@temporal-kms/worker-kit';
import { oncePerRun } from '@temporal-kms/scripts/once-per-run';
import { freePorts } from '@temporal-kms/scripts/ports';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { startStack as startServices } from '@temporal-kms/testing/stack';
import { compileWorkflows } from '@temporal-kms/testing/workflow-code';
import { Client, type Connection } from '@temporalio/client';
import { NativeConnection, type WorkerPlugin } from '@temporalio/worker';
import { activities } from '../../src/activities.ts';
import { createSampleClients, type SampleClients } from '../../src/starter/clients.ts';
import { createWorker } from '../../src/worker.ts';
import { useWriteAheadLog } from './database.ts';

export const namespace = 'default';
export const taskQueue = 'samples-under-test';
const keyVariables = {
  GCP_PROJECT: 'test',
  GCP_KMS_KEY_RING: 'ring',
  GCP_KMS_KEY: 'workflows',
  KMS_UNSAFE: 'direct-with-envelope',
};
const key = 'projects/test/locations/global/keyRings/ring/cryptoKeys/workflows';

/** Returns the variables for a process that uses the emulator's key. */
export const kmsVariables = (emulatorHost: string) => ({ ...keyVariables, KMS_EMULATOR_HOST: emulatorHost });

export const kmsSettings = (emulatorHost: string): KmsSettings =>
  kmsEnvironment.parse(kmsVariables(emulatorHost));

const failureConverterPath = fileURLToPath(import.meta.resolve('@temporal-kms/kms-codec/failure-converter'));

/** Returns the samples, with their workflow code compiled once for all tests of a run. */
export async function compiledSamples(isEncrypted = true) {
  const index = new URL('../../src/workflows/index.ts', import.meta.url);
  const workflowBundle = await compileWorkflows(index, isEncrypted ? { failureConverterPath } : {});
  return { activities, workflowBundle };
}

/** Starts a Temporal server, a client connected to it, and an emulator with the samples' key. */
export async function startTemporalAndKms(dataFile?: string) {
  if (dataFile === undefined) return await startServices({ emulator: { keys: [key] } });
  // While a test has stopped the emulator, no other process can take this port.
  const [port = 0] = await freePorts(1);
  return await startServices({ emulator: { keys: [key], dataFile, port } });
}

export interface Stack {
  readonly address: string;
  /** Host and port of the emulator. */
  readonly kmsAddress: string;
  readonly dbFile: string;
  readonly connection: Connection;
  readonly clients: SampleClients;
  /** The codec, or `undefined` if the stack does not encrypt. */
  readonly codec?: KmsCodec;
  close(): Promise<void>;
}

export interface StackOptions {
  readonly encrypted: boolean;
  /** Additional plugins of the worker. */
  readonly plugins?: readonly WorkerPlugin[];
}

/** Creates a database without workflows once for all tests of a run, because a server takes seconds to create it. */
const emptyDatabase = async (): Promise<string> =>
  join(
    await oncePerRun('temporal-database', async (folder) => {
      const dbFile = join(folder, 'temporal.db');
      await (await startTemporal({ dbFile })).close();
      useWriteAheadLog(dbFile);
    }),
    'temporal.db',
  );

/** Starts a Temporal server with a database file, clients, and a worker in this process. */
export async function startStack({ encrypted, plugins: more = [] }: StackOptions): Promise<Stack> {
  const dir = await mkdtemp(join(tmpdir(), 'worker-test-'));
  const dbFile = join(dir, 'temporal.db');
  await copyFile(await emptyDatabase(), dbFile);
  const services = await startServices({ temporal: { dbFile }, emulator: { keys: [key] } });
  const { address, connection, closers, emulator } = services;
  const kmsAddress = emulator.address;
  const close = async () => {
    await services.close();
    await rm(dir, { recursive: true, force: true });
  };

  const code = await compiledSamples(encrypted);
  const run = (workerCodec: WorkerCodec, own: KmsWorkerPlugin[]) => {
    const plugins = [frequentHeartbeats, ...more, ...own];
    const worker = runWorker({
      codec: workerCodec,
      namespace,
      connect: () => NativeConnection.connect({ address }),
      createWorker: (native) =>
        createWorker({ connection: native, namespace, taskQueue, code, plugins, shutdownGraceSeconds: 1 }),
      write: () => undefined,
      signals: [],
      exit: () => undefined,
    });
    closers.defer(() => {
      worker.stop();
      return worker.ended;
    });
  };
  if (!encrypted) {
    run(noCodec, []);
    return { address, kmsAddress, dbFile, connection, clients: plainClients(connection), close };
  }

  const kms = kmsSettings(kmsAddress);
  const codec = createKmsCodec(kms, { namespace });
  const clients = closers.use(createSampleClients({ connection, namespace, kms }));
  run(codec, [new KmsWorkerPlugin(codec)]);
  return { address, kmsAddress, dbFile, connection, clients, codec, close };
}

/**
 * Makes Core send each heartbeat within a second. Otherwise, Core would delay heartbeats for so long that a stall of a
 * second could make an attempt time out.
 */
const frequentHeartbeats: WorkerPlugin = {
  name: 'frequent-heartbeats',
  configureWorker: (options) => ({ ...options, maxHeartbeatThrottleInterval: '1 second' }),
};

/** Stands in for the codec of a worker that does not encrypt. */
const noCodec: WorkerCodec = {
  warm: () => Promise.resolve(),
  maintain: () => undefined,
  close: () => Promise.resolve(),
  keyState: () => ({ autonomySeconds: Number.POSITIVE_INFINITY, failure: undefined }),
};

/** Returns clients without a codec, whatever format a sample requests. */
const plainClients = (connection: Connection): SampleClients => ({
  get: (_format, interceptor) =>
    new Client({ connection, namespace, ...(interceptor && { interceptors: { workflow: [interceptor] } }) }),
  close: () => Promise.resolve(),
});
