import { fileURLToPath } from 'node:url';
import { CloudKms, KeyRules, KmsCodec, type KmsCodecOptions, KmsCodecPlugin } from '@temporal-kms/kms-codec';
import type { Emulator } from '@temporal-kms/kms-emulator';
import {
  type RunningWorker,
  runUntilStopped,
  startStack as startServices,
} from '@temporal-kms/testing/stack';
import { compileWorkflows, type WorkflowCode } from '@temporal-kms/testing/workflow-code';
import { Client } from '@temporalio/client';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import { KmsWorkerPlugin } from '../../../src/index.ts';
import { installRuntime } from '../../run-worker/support/worker.ts';
import { cryptoKey } from '../../support/codec.ts';

export const payments = 'payments';

/**
 * A service account for activity workers, so that a test can apply faults and policies only to these workers.
 */
export const activityIdentity = 'serviceAccount:activities@p.iam.gserviceaccount.com';

type CodecOptions = Partial<KmsCodecOptions> & { readonly emulatorHost?: string };

export interface Stack {
  readonly kms: Emulator;
  readonly address: string;
  readonly bundle: WorkflowCode;
  /** Creates a codec with empty caches, as each process does. */
  codec(options?: CodecOptions): KmsCodec;
  client(codec: KmsCodec): Client;
  /** Runs a worker in `payments` until the test stops it or the stack closes. */
  work(options: Partial<WorkerOptions> & { readonly codec: KmsCodec }): Promise<RunningWorker>;
  close(): Promise<void>;
}

/**
 * Starts a Temporal server with a namespace, starts an emulator with the namespace's key, and bundles the
 * workflows.
 */
export async function startStack(): Promise<Stack> {
  installRuntime();
  const services = await startServices({
    temporal: { namespaces: [payments] },
    emulator: { keys: [cryptoKey(payments)], identities: { [activityIdentity]: 0 } },
  });
  const { address, connection, closers, emulator: kms, close } = services;
  try {
    return {
      kms,
      address,
      bundle: await bundleWorkflows(),
      codec: ({ emulatorHost = kms.address, ...options } = {}) =>
        closers.use(
          new KmsCodec({
            rules: new KeyRules({ [payments]: { encrypt: cryptoKey(payments) } }),
            keyService: new CloudKms({ emulatorHost }),
            ...options,
          }),
        ),
      client: (codec) =>
        new Client({ connection, namespace: payments, plugins: [new KmsCodecPlugin(codec)] }),
      work: async ({ codec, ...options }) => {
        const worker = await Worker.create({
          connection: await services.native(),
          namespace: payments,
          taskQueue: 'orders',
          plugins: [new KmsWorkerPlugin(codec)],
          ...options,
        });
        return runUntilStopped(worker, closers);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const bundleWorkflows = (): Promise<WorkflowCode> =>
  compileWorkflows(new URL('./workflows.ts', import.meta.url), {
    failureConverterPath: fileURLToPath(import.meta.resolve('@temporal-kms/kms-codec/failure-converter')),
  });
