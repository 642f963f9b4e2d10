import { fileURLToPath } from 'node:url';
import { compileWorkflows } from '@temporal-kms/testing/workflow-code';
import { Runtime, Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import type { WorkerCodec } from '../../../src/index.ts';
import { type SafeLogEntry, createSafeLogger, safeRuntimeOptions } from '../../../src/logging.ts';
import { type BreakableCodec, createActivities } from './activities.ts';

export const taskQueue = 'run-worker';
const failureConverterPath = fileURLToPath(import.meta.resolve('@temporal-kms/kms-codec/failure-converter'));

export const bundle = () =>
  compileWorkflows(new URL('workflows.ts', import.meta.url), { failureConverterPath });

/** A codec whose keys never expire, and which makes no calls. */
export const noKeys: WorkerCodec = {
  warm: () => Promise.resolve(),
  maintain: () => undefined,
  close: () => Promise.resolve(),
  keyState: () => ({ autonomySeconds: Number.POSITIVE_INFINITY, failure: undefined }),
};

/** Makes the SDK log without payload content. */
export function installRuntime(write: (entry: SafeLogEntry) => void = () => undefined): void {
  const logger = createSafeLogger({ level: 'INFO', write });
  Runtime.install({ ...safeRuntimeOptions({ logger }), shutdownSignals: [] });
}

export const createWorker = (
  connection: NativeConnection,
  codec: BreakableCodec,
  options: Partial<WorkerOptions>,
): Promise<Worker> =>
  Worker.create({
    connection,
    taskQueue,
    activities: createActivities(codec),
    dataConverter: { payloadCodecs: [codec], failureConverterPath },
    ...options,
  });
