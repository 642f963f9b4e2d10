import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { startEmulator, type Emulator } from '@temporal-kms/kms-emulator';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import {
  bundleWorkflowCode,
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
  type LogEntry,
  type WorkerOptions,
  type WorkflowBundle,
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

/** The namespaces of these tests; each has a key of its own, of the same name. */
export const payments = 'payments';
export const shippingNamespace = 'shipping';

/** Keys of `payments` that seal no longer. */
export const formerKeys = ['payments-2023', 'payments-2024', 'payments-2025'] as const;

export const rules: Readonly<Record<string, NamespaceRule>> = {
  [payments]: {
    encrypt: cryptoKey(payments),
    decrypt: formerKeys.map((key) => cryptoKey(key)),
    accepts: [shippingNamespace],
  },
  [shippingNamespace]: { encrypt: cryptoKey(shippingNamespace), accepts: [payments] },
};

/** A service account for activity workers, so that faults and policies may meet it alone. */
export const activityIdentity = 'serviceAccount:activities@p.iam.gserviceaccount.com';

type CodecOptions = Partial<KmsCodecOptions> & { readonly emulatorHost?: string };

export interface RunningWorker {
  /** Shuts it down if it still runs. @throws what it died of */
  stop(): Promise<void>;
}

export interface Stack {
  readonly kms: Emulator;
  readonly address: string;
  readonly connection: Connection;
  readonly bundle: WorkflowBundle;
  /** What the workers have logged, warnings and errors, Core's errors included. */
  readonly logs: readonly LogEntry[];
  /** A codec with keys and caches of its own, as each process has them. */
  codec(options?: CodecOptions): KmsCodec;
  client(namespace: string, codec: KmsCodec): Client;
  /** Runs a worker in `payments` until it is stopped or the stack closes. */
  work(options: Partial<WorkerOptions> & { readonly codec: KmsCodec }): Promise<RunningWorker>;
  close(): Promise<void>;
}

/** A real Temporal server with both namespaces, the emulator with both keys, and the workflows bundled once. */
export async function startStack(): Promise<Stack> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  const opened = <T extends { close(): Promise<unknown> }>(one: T): T => {
    closers.push(() => one.close());
    return one;
  };
  const logs: LogEntry[] = [];
  Runtime.install({
    logger: new DefaultLogger('WARN', (entry) => void logs.push(entry)),
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }), forward: {} },
    },
  });
  try {
    const [temporal, kms, bundle] = await Promise.all([
      startTemporal({ namespaces: [payments, shippingNamespace] }).then(opened),
      startEmulator({
        keys: [payments, ...formerKeys, shippingNamespace].map((key) => cryptoKey(key)),
        identities: { [activityIdentity]: 0 },
      }).then(opened),
      bundleWorkflows(),
    ]);
    const { address } = temporal;
    const connection = opened(await Connection.connect({ address }));
    const native = opened(await NativeConnection.connect({ address }));
    return {
      kms,
      address,
      connection,
      bundle,
      logs,
      codec: ({ emulatorHost = kms.address, ...options } = {}) =>
        opened(
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
          connection: native,
          namespace: payments,
          taskQueue: 'orders',
          plugins: [new KmsCodecPlugin(codec)],
          ...options,
        });
        const ended = worker.run();
        // Heard in stop(); until then a failure isn't an unhandled one.
        ended.catch(() => undefined);
        const stop = async () => {
          if (worker.getState() === 'RUNNING') worker.shutdown();
          await ended;
        };
        closers.push(stop);
        return { stop };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const bundleWorkflows = async (): Promise<WorkflowBundle> =>
  await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
    failureConverterPath: fileURLToPath(new URL('../../../src/failure-converter.ts', import.meta.url)),
  });
