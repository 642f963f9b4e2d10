import { randomUUID } from 'node:crypto';
import { createKmsCodec, type KmsCodec, KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { readHistory } from '@temporal-kms/testing/history';
import { Closers, startTemporalStack, type TemporalStack } from '@temporal-kms/testing/stack';
import { compileWorkflows, type WorkflowCode } from '@temporal-kms/testing/workflow-code';
import { Client, type ClientOptions, Connection, type WorkflowHandle } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createTemporalService, interceptors } from '../../../src/temporal/service.ts';
import type { appWith } from '../../support/stack.ts';
import { eventually, NAMESPACE, quiet } from '../../support/temporal.ts';
import { activitiesOf, type Generation } from './activities.ts';
import { createServer, type Keys, type KeysOptions, startKeys } from './keys.ts';
import * as workflows from './workflows.ts';

export const taskQueue = 'orders';

type Event = temporal.api.history.v1.IHistoryEvent;
interface WorkerSettings extends Partial<WorkerOptions> {
  readonly generation: Generation;
  /**
   * Whether the plugin encrypts. If so, the compiled workflow code contains the plugin's failure converter.
   */
  readonly encrypts: boolean;
  /** The address of Temporal, or of a proxy in front of Temporal. */
  readonly address?: string;
}

/** A running worker. */
export interface Running {
  /** Drains the worker as a deployment does. */
  stop(): Promise<void>;
}

/**
 * The parts of a move: Temporal, Cloud KMS with a keys file from docs/moving.md, and a codec server with the
 * same keys file.
 */
export interface Move extends Keys {
  readonly address: string;
  /** Further parts, which are closed before the parts of the move. */
  readonly closers: Closers;
  readonly app: ReturnType<typeof appWith>;
  /** Returns a codec with empty caches, like the codec of another process. */
  codec(): KmsCodec;
  client(options?: Partial<ClientOptions>, address?: string): Promise<Client>;
  worker(settings: WorkerSettings): Promise<Running>;
  /** Reads a workflow's history as Temporal stores it. */
  stored(workflowId: string): Promise<Event[]>;
  close(): Promise<void>;
}

/** Returns the compiled code of the workflows. Each plugin adds its failure converter to the code. */
export const workflowCode = (plugins: KmsCodecPlugin[] = []): Promise<WorkflowCode> =>
  compileWorkflows(new URL('./workflows.ts', import.meta.url), { plugins });

/** Starts Temporal, which several moves may use one after the other. */
export const startMoveTemporal = (): Promise<TemporalStack> =>
  startTemporalStack({ namespaces: [NAMESPACE] }, { interceptors });

/**
 * Starts the KMS emulator with the keys of a keys file from docs/moving.md, and a codec server.
 * @param shared Temporal. By default, this function also starts Temporal.
 */
export async function startMove(keysOptions: KeysOptions, shared?: TemporalStack): Promise<Move> {
  quiet();
  const closers = new Closers();
  const { connection, address } = shared ?? closers.use(await startMoveTemporal());
  const keys = await startKeys(closers, keysOptions);
  const codec = () => closers.use(createKmsCodec(keys.settings, { namespace: NAMESPACE }));
  const plainCode = await workflowCode();
  const encryptingCode = await workflowCode([new KmsCodecPlugin(codec())]);

  return {
    address,
    closers,
    ...keys,
    app: createServer(closers, keys, createTemporalService(connection)),
    codec,
    client: async (options = {}, to = address) => {
      const own = closers.use(await Connection.connect({ address: to }));
      return new Client({ ...options, connection: own, namespace: NAMESPACE });
    },
    worker: async ({ generation, encrypts, address: to = address, ...options }) => {
      const native = await NativeConnection.connect({ address: to });
      const worker = await Worker.create({
        connection: native,
        namespace: NAMESPACE,
        taskQueue,
        workflowBundle: encrypts ? encryptingCode : plainCode,
        activities: activitiesOf(generation),
        // The cache is off, so that any worker may get a workflow's next task. That worker then replays the
        // history.
        maxCachedWorkflows: 0,
        shutdownGraceTime: '2s',
        ...options,
      });
      const ended = worker.run();
      const stop = async () => {
        if (worker.getState() === 'RUNNING') worker.shutdown();
        await ended;
        await native.close();
      };
      let stopped: Promise<void> | undefined;
      const running = { stop: () => (stopped ??= stop()) };
      closers.defer(running.stop);
      return running;
    },
    stored: (workflowId) => readHistory(connection, NAMESPACE, { workflowId }),
    close: () => closers.close(),
  };
}

/**
 * Starts an order, and returns once the order waits for the move: it is paid, has its first note, and has
 * failed once to pack.
 */
export async function startOrder(
  client: Client,
  customer: string,
): Promise<WorkflowHandle<typeof workflows.order>> {
  const handle = await client.workflow.start(workflows.order, {
    taskQueue,
    workflowId: `order-${randomUUID()}`,
    args: [customer],
    memo: { customer },
  });
  const request = { namespace: NAMESPACE, execution: { workflowId: handle.workflowId } };
  await eventually(async () => {
    const { pendingActivities } = await client.workflowService.describeWorkflowExecution(request);
    const [pending] = pendingActivities;
    if (!pending?.heartbeatDetails || (pending.attempt ?? 0) < 2) {
      throw new Error('The order is not waiting yet.');
    }
  });
  // Queries only after the local activity has ended: without a cache, Core 1.24 stops if a query arrives
  // during a local activity.
  await handle.signal(workflows.addNote, `first note of ${customer}`);
  await eventually(async () => {
    if ((await handle.query(workflows.notes)).length === 0) throw new Error('The note has not arrived yet.');
  });
  return handle;
}
