import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type KmsCodec, KmsCodecPlugin } from '@temporal-kms/kms-codec';
import type { EmulatorOptions } from '@temporal-kms/kms-emulator';
import { Closers, startStack } from '@temporal-kms/testing/stack';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { type FleetWorker, startFleetWorker } from './fleet-worker.ts';
import { Load, type LoadedWorkflow } from './load.ts';
import { type FleetReport, reportOn } from './report.ts';
import { otherCodecs } from './other-codecs.ts';
import {
  createFleetCodec,
  type Environment,
  type FleetCodec,
  MovableClock,
  NAMESPACE,
  type Role,
  roles,
  type WorkerSettings,
} from './settings.ts';

export const KEY = 'projects/fleet/locations/global/keyRings/fleet/cryptoKeys/fleet';

/** The addresses of a fleet's Temporal and Cloud KMS. */
export interface Services {
  /** Host and port of Temporal. */
  readonly address: string;
  /** Host and port of the KMS emulator. */
  readonly kmsAddress: string;
}

export interface FleetOptions {
  /**
   * Number of processes per role: one role polls for workflow tasks, and the other for activity tasks.
   * Default: 1.
   */
  readonly processes?: number;
  /** Milliseconds after which encryption keys are replaced. Default: as in production. */
  readonly keyLifetimeMs?: number | undefined;
  /** The codec of the workers and the client. Default `kms`. */
  readonly codec?: FleetCodec;
  /** The task queue. Default `fleet`. */
  readonly taskQueue?: string;
  /** Additional environment variables of the workers and the client. */
  readonly env?: Environment;
}

/** Worker processes, and a client that gives them work. */
export interface Fleet {
  readonly client: Client;
  readonly taskQueue: string;
  /** All worker processes that were started, including those that have ended. */
  readonly workers: readonly FleetWorker[];
  /** Starts an additional process, without waiting until it is ready. */
  add(role: Role): FleetWorker;
  /** Creates a load. Default workflow: `shipment`. */
  load(workflow?: LoadedWorkflow): Load;
  /** Moves the clocks of the workers and the client. */
  advance(ms: number): Promise<void>;
  /** Returns a report on all workflows of the loads. Stop the loads first. */
  report(): Promise<FleetReport>;
  close(): Promise<void>;
}

/** Starts Temporal as a process, and a KMS emulator in this process. */
export async function startServices(emulator: EmulatorOptions = {}) {
  const stack = await startStack({ emulator: { keys: [KEY], ...emulator } });
  return { ...stack, kmsAddress: stack.emulator.address, [Symbol.asyncDispose]: stack.close };
}

/**
 * Starts worker processes and a client. Workflow tasks and activity tasks run in separate processes, so that
 * no process reads a payload that it wrote itself.
 */
export async function startFleet(services: Services, options: FleetOptions = {}): Promise<Fleet> {
  const { processes = 1, keyLifetimeMs, codec: kind = 'kms', taskQueue = 'fleet', env: more } = options;
  const closers = new Closers();
  try {
    const folder = await mkdtemp(join(tmpdir(), 'fleet-'));
    closers.defer(() => rm(folder, { recursive: true, force: true }));
    const bundle = join(folder, 'workflows.js');
    await writeFile(bundle, await bundleCode(kind === 'kms'));
    const settings: WorkerSettings = {
      TEMPORAL_ADDRESS: services.address,
      FLEET_TASK_QUEUE: taskQueue,
      FLEET_BUNDLE: bundle,
      FLEET_CODEC: kind,
      ...(keyLifetimeMs !== undefined && { FLEET_KEY_LIFETIME_MS: String(keyLifetimeMs) }),
    };
    const env: Environment = {
      GCP_PROJECT: 'fleet',
      GCP_KMS_KEY_RING: 'fleet',
      GCP_KMS_KEY: 'fleet',
      KMS_EMULATOR_HOST: services.kmsAddress,
      ...settings,
      ...more,
    };
    const workers: FleetWorker[] = [];
    const add = (role: Role): FleetWorker => {
      const number = workers.filter((worker) => worker.role === role).length + 1;
      const worker = startFleetWorker(role, `${role} ${number}`, env);
      workers.push(worker);
      return worker;
    };
    closers.defer(() => Promise.all(workers.map((worker) => worker.kill())));
    const clock = new MovableClock();
    const codec = closers.use(createFleetCodec(env, clock));
    if (kind === 'kms') await warm(codec, env);
    const connection = closers.use(await Connection.connect({ address: services.address }));
    const plugins = kind === 'kms' ? [new KmsCodecPlugin(codec)] : [];
    const dataConverter = { payloadCodecs: await otherCodecs(kind) };
    const client = new Client({ connection, namespace: NAMESPACE, plugins, dataConverter });
    for (const role of roles) for (let number = 0; number < processes; number += 1) add(role);
    await Promise.all(workers.map((worker) => worker.untilReady()));
    const loads: Load[] = [];
    closers.defer(() => Promise.all(loads.map((load) => load.abandon())));
    return {
      client,
      taskQueue,
      workers,
      add,
      load: (workflow = 'shipment') => {
        const load = new Load({ client, taskQueue, workflow });
        loads.push(load);
        return load;
      },
      advance: async (ms) => {
        clock.advance(ms);
        codec.maintain();
        await Promise.all(workers.filter((worker) => worker.isRunning()).map((worker) => worker.advance(ms)));
      },
      report: () => reportOn(client, workers, loads),
      close: () => closers.close(),
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/**
 * Gets the client's first branch key. Meanwhile, this process's environment contains the test server's URL,
 * because Google's storage client reads the URL from there at its first use.
 */
async function warm(codec: KmsCodec, env: Environment): Promise<void> {
  const host = env['STORAGE_EMULATOR_HOST'];
  if (host !== undefined) process.env['STORAGE_EMULATOR_HOST'] = host;
  try {
    await codec.warm(NAMESPACE);
  } finally {
    delete process.env['STORAGE_EMULATOR_HOST'];
  }
}

/** Bundles the workflows only once, so that each process starts quickly. */
async function bundleCode(isEncrypted: boolean): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('workflows.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
    ...(isEncrypted && {
      failureConverterPath: fileURLToPath(import.meta.resolve('@temporal-kms/kms-codec/failure-converter')),
    }),
  });
  return code;
}
