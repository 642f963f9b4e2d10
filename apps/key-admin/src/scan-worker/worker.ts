import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from '@temporalio/client';
import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import type { ObjectStorage } from '@temporal-kms/payload-storage';
import { type ActivityDeps, createActivities } from '../scan/on-temporal/activities.ts';
import { ownPayloads } from '../scan/on-temporal/own-payloads.ts';
import { shareOf, temporalSource } from '../temporal/temporal-source.ts';
import { type KnownObjects, StoredObjects } from '../scan/stored-objects.ts';
import { statesIn } from './states.ts';

/**
 * Time limit for activities in progress to stop at a shutdown. Another worker continues unfinished
 * activities.
 */
const SHUTDOWN_GRACE = '5 seconds';

export interface ScanWorkerDeps {
  /** The connection that polls for tasks. */
  readonly worker: NativeConnection;
  /** The connection that reads the namespaces. */
  readonly reader: Connection;
  /** The namespace in which the workflows run. */
  readonly home: string;
  readonly taskQueue: string;
  /** The folder that keeps the summaries of closed runs; if undefined, every scan reads all closed runs. */
  readonly stateFolder: string | undefined;
  /** External storage whose objects the worker reads; if undefined, the report counts each reference as a gap. */
  readonly storage?: ObjectStorage | undefined;
}

const now = () => new Date();

/** Creates a worker for scans on Temporal. Call `run()` to start polling. */
export function createScanWorker({
  worker,
  reader,
  home,
  taskQueue,
  stateFolder,
  storage,
}: ScanWorkerDeps): Promise<Worker> {
  return Worker.create({
    connection: worker,
    namespace: home,
    taskQueue,
    dataConverter: { payloadCodecs: [ownPayloads] },
    activities: createActivities({
      sourceOf: (namespace, rps) => temporalSource(reader, namespace, shareOf(rps)),
      stateOf: statesIn(stateFolder, now),
      referencesOf: storage && referencesFrom(storage),
      now,
    }),
    shutdownGraceTime: SHUTDOWN_GRACE,
    ...workflowCode(),
  });
}

/**
 * Returns a function that creates readers of objects. For the latest scan of each namespace, the function remembers the
 * objects that this worker has read.
 */
function referencesFrom(storage: ObjectStorage): NonNullable<ActivityDeps['referencesOf']> {
  const scans = new Map<string, { readonly scanId: string; readonly known: KnownObjects }>();
  return ({ namespace, namespaceId, scanId, rps }, signal) => {
    const latest = scans.get(namespaceId);
    const { known } = latest?.scanId === scanId ? latest : { known: new Map() };
    scans.set(namespaceId, { scanId, known });
    return new StoredObjects({ storage, namespace, limiter: shareOf(rps), known, signal });
  };
}

/** `dist/` contains a prebuilt bundle, so a deployed worker does not need the sources or the bundler. */
function workflowCode(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const codePath = join(import.meta.dirname, 'workflow-bundle.js');
  return existsSync(codePath)
    ? { workflowBundle: { codePath } }
    : { workflowsPath: join(import.meta.dirname, '..', 'scan', 'on-temporal', 'workflow.ts') };
}
