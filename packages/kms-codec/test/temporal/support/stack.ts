import { fileURLToPath } from 'node:url';
import { Client, type Connection } from '@temporalio/client';
import type { Emulator } from '@temporal-kms/kms-emulator';
import {
  type RunningWorker,
  runUntilStopped,
  startStack as startServices,
} from '@temporal-kms/testing/stack';
import { compileWorkflows, type WorkflowCode } from '@temporal-kms/testing/workflow-code';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  Runtime,
  Worker,
  type LogEntry,
  type WorkerOptions,
} from '@temporalio/worker';
import {
  CloudKms,
  KeyRules,
  KmsCodec,
  KmsCodecPlugin,
  type KmsCodecOptions,
  type NamespaceRule,
} from '../../../src/index.ts';
import { cryptoKey } from '../../support/codec.ts';

/** The namespaces in these tests. Each namespace has a crypto key with the namespace's name. */
export const payments = 'payments';
export const shippingNamespace = 'shipping';

/** The default task queue of a worker. */
export const taskQueue = 'orders';

/** Returns options for a workflow on the default task queue. */
export const withId = <A extends unknown[]>(workflowId: string, ...args: A) => ({
  taskQueue,
  workflowId,
  args,
});

/** The keys of `payments` that only decrypt. */
export const formerKeys = ['payments-2023', 'payments-2024', 'payments-2025'] as const;

export const rules: Readonly<Record<string, NamespaceRule>> = {
  [payments]: {
    encrypt: cryptoKey(payments),
    decrypt: formerKeys.map((key) => cryptoKey(key)),
    accepts: [shippingNamespace],
  },
  [shippingNamespace]: { encrypt: cryptoKey(shippingNamespace), accepts: [payments] },
};

/**
 * A service account for activity workers, so that a test can apply faults and policies only to these workers.
 */
export const activityIdentity = 'serviceAccount:activities@p.iam.gserviceaccount.com';

type CodecOptions = Partial<KmsCodecOptions> & { readonly emulatorHost?: string };

export interface Stack {
  readonly kms: Emulator;
  readonly address: string;
  readonly connection: Connection;
  readonly bundle: WorkflowCode;
  /** The warnings and errors that the workers and Core have logged. */
  readonly logs: readonly LogEntry[];
  /** Creates a codec with empty caches, as each process does. */
  codec(options?: CodecOptions): KmsCodec;
  client(namespace: string, codec: KmsCodec): Client;
  /** Runs a worker in `payments` until the test stops it or the stack closes. */
  work(options: Partial<WorkerOptions> & { readonly codec: KmsCodec }): Promise<RunningWorker>;
  close(): Promise<void>;
}

/** Starts a Temporal server with both namespaces and an emulator with their keys, and bundles the workflows. */
export async function startStack(): Promise<Stack> {
  const logs: LogEntry[] = [];
  Runtime.install({
    logger: new DefaultLogger('WARN', (entry) => void logs.push(entry)),
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }), forward: {} },
    },
  });
  const services = await startServices({
    temporal: { namespaces: [payments, shippingNamespace] },
    emulator: {
      keys: [payments, ...formerKeys, shippingNamespace].map((key) => cryptoKey(key)),
      identities: { [activityIdentity]: 0 },
    },
  });
  const { address, connection, closers, emulator: kms, close } = services;
  try {
    return {
      kms,
      address,
      connection,
      bundle: await bundleWorkflows(),
      logs,
      codec: ({ emulatorHost = kms.address, ...options } = {}) =>
        closers.use(
          new KmsCodec({
            rules: new KeyRules(rules),
            keyService: new CloudKms({ emulatorHost }),
            ...options,
          }),
        ),
      client: (namespace, codec) =>
        new Client({ connection, namespace, plugins: [new KmsCodecPlugin(codec)] }),
      work: async ({ codec, ...options }) => {
        const worker = await Worker.create({
          connection: await services.native(),
          namespace: payments,
          taskQueue,
          plugins: [new KmsCodecPlugin(codec)],
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
    failureConverterPath: fileURLToPath(new URL('../../../src/failure-converter.ts', import.meta.url)),
  });
