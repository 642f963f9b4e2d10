import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from '@temporalio/client';
import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../scan/on-temporal/activities.ts';
import { ownPayloads } from '../scan/on-temporal/own-payloads.ts';
import { shareOf, temporalSource } from '../temporal/temporal-source.ts';
import { statesIn } from './states.ts';

/** Time for running activities to notice a shutdown. Another worker continues unfinished activities. */
const SHUTDOWN_GRACE = '5 seconds';

export interface ScanWorkerDeps {
  /** Polls for tasks. */
  readonly worker: NativeConnection;
  /** Reads the namespaces. */
  readonly reader: Connection;
  /** The namespace that the workflows run in. */
  readonly home: string;
  readonly taskQueue: string;
  /** The folder that keeps what was read from closed runs. Undefined: every scan reads all closed runs. */
  readonly stateFolder: string | undefined;
}

const now = () => new Date();

/** Creates a worker for scans on Temporal. Call `run()` to start polling. */
export function createScanWorker({
  worker,
  reader,
  home,
  taskQueue,
  stateFolder,
}: ScanWorkerDeps): Promise<Worker> {
  return Worker.create({
    connection: worker,
    namespace: home,
    taskQueue,
    dataConverter: { payloadCodecs: [ownPayloads] },
    activities: createActivities({
      sourceOf: (namespace, rps) => temporalSource(reader, namespace, shareOf(rps)),
      stateOf: statesIn(stateFolder, now),
      now,
    }),
    shutdownGraceTime: SHUTDOWN_GRACE,
    ...workflowCode(),
  });
}

/** `dist/` contains a prebuilt bundle, so a deployed worker does not need the sources or the bundler. */
function workflowCode(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const codePath = join(import.meta.dirname, 'workflow-bundle.js');
  return existsSync(codePath)
    ? { workflowBundle: { codePath } }
    : { workflowsPath: join(import.meta.dirname, '..', 'scan', 'on-temporal', 'workflow.ts') };
}
