import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createKmsCodec,
  kmsEnvironment,
  KmsCodecPlugin,
  type KmsCodec,
  type KmsSettings,
} from '@temporal-kms/kms-codec';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { createLog } from '../../src/log.ts';
import { createSampleClients, type SampleClients } from '../../src/starter/clients.ts';
import { initialStatus } from '../../src/status.ts';
import { superviseWorker } from '../../src/supervisor.ts';
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
export const key = 'projects/test/locations/global/keyRings/ring/cryptoKeys/workflows';

/** What a child process needs to use the emulator's key. */
export const kmsVariables = (emulatorHost: string) => ({ ...keyVariables, KMS_EMULATOR_HOST: emulatorHost });

export const kmsSettings = (emulatorHost: string): KmsSettings =>
  kmsEnvironment.parse(kmsVariables(emulatorHost));

export interface Stack {
  readonly address: string;
  readonly dbFile: string;
  readonly connection: Connection;
  readonly clients: SampleClients;
  /** Absent where the stack runs without encryption. */
  readonly codec?: KmsCodec;
  close(): Promise<void>;
}

/** A Temporal server, a worker that runs in this process, and clients; `sealed: false` leaves the codec out. */
export async function startStack({ sealed }: { sealed: boolean }): Promise<Stack> {
  const closers: (() => Promise<unknown>)[] = [];
  const dir = await mkdtemp(join(tmpdir(), 'worker-test-'));
  closers.push(() => rm(dir, { recursive: true, force: true }));
  const dbFile = join(dir, 'temporal.db');
  await (await startTemporal({ dbFile })).close();
  useWriteAheadLog(dbFile);
  const server = await startTemporal({ dbFile });
  closers.push(() => server.close());
  const { address } = server;
  const connection = await Connection.connect({ address });
  closers.push(() => connection.close());

  const stopping = new AbortController();
  const run = (plugins: KmsCodecPlugin[]) => {
    const running = superviseWorker({
      connect: () => NativeConnection.connect({ address }),
      createWorker: (own) =>
        createWorker({ connection: own, namespace, taskQueue, plugins, shutdownGraceSeconds: 1 }),
      signal: stopping.signal,
      status: initialStatus(),
      log: createLog('silent'),
    });
    closers.push(async () => {
      stopping.abort();
      await running;
    });
  };
  const close = async () => {
    for (const closer of closers.toReversed()) await closer();
  };
  if (!sealed) {
    run([]);
    return { address, dbFile, connection, clients: plainClients(connection), close };
  }

  const emulator = await startEmulator({ keys: [key] });
  closers.push(() => emulator.close());
  const kms = kmsSettings(emulator.address);
  const codec = createKmsCodec(kms, { namespace });
  closers.push(() => codec.close());
  const clients = createSampleClients({ connection, namespace, kms });
  closers.push(() => clients.close());
  await codec.warm(namespace);
  run([new KmsCodecPlugin(codec)]);
  return { address, dbFile, connection, clients, codec, close };
}

/** Whatever format is asked for: nothing is sealed. */
const plainClients = (connection: Connection): SampleClients => ({
  get: (_format, interceptor) =>
    new Client({ connection, namespace, ...(interceptor && { interceptors: { workflow: [interceptor] } }) }),
  close: () => Promise.resolve(),
});
