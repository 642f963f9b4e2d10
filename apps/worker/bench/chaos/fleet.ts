import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createKmsCodec, kmsEnvironment, KmsCodecPlugin } from '@temporal-kms/kms-codec';
import type { Emulator } from '@temporal-kms/kms-emulator';
import { type NodeProcess, startNode } from '@temporal-kms/testing/process';
import { startStack } from '@temporal-kms/testing/stack';
import { Client, WorkflowFailedError } from '@temporalio/client';
import proto from '@temporalio/proto';
import {
  keyLimits,
  codecVariable,
  type FleetCodec,
  lifetimeVariable,
  NAMESPACE,
  TASK_QUEUE,
} from './settings.ts';
import type { shipment } from './workflows.ts';

const KEY = 'projects/fleet/locations/global/keyRings/fleet/cryptoKeys/fleet';

export interface FleetOptions {
  /** Processes of each role: one kind polls workflow tasks, the other activity tasks. Default 1. */
  readonly processes?: number;
  /** Milliseconds after which the keys that encrypt are replaced. */
  readonly keyLifetimeMs: number;
  /** The codec of the workers and the client. Default `kms`. */
  readonly codec?: FleetCodec;
  /** Further environment of the workers and the client. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What became of the workflows, the activities and the workers. */
export interface FleetReport {
  readonly completed: number;
  readonly failed: number;
  /** Calls of the client that failed although the workflow did not: it could not encode an input or decode a result. */
  readonly clientErrors: number;
  /** Executions of activities after their first one. */
  readonly rerun: number;
  /** Workflow tasks that failed or timed out. */
  readonly taskFailures: number;
  /** Workers whose process ended. */
  readonly deadWorkers: number;
}

export interface Fleet {
  readonly emulator: Emulator;
  readonly workers: readonly NodeProcess[];
  /** Keeps a number of workflows in progress. */
  load(inFlight: number): Load;
  /** Reports on all workflows. Stop the load before. */
  report(): Promise<FleetReport>;
  close(): Promise<void>;
}

export interface Load {
  /** Waits for `ms`, and returns how many workflows completed in that time. */
  run(ms: number): Promise<number>;
  /** Starts no further workflow, and waits for those in progress. */
  stop(): Promise<void>;
}

/**
 * Starts Temporal, the KMS emulator, worker processes and a client that keeps a number of workflows in progress. Workflow
 * tasks and activity tasks have separate processes, so each payload is read by another process than its writer's.
 */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { processes = 1, keyLifetimeMs, codec: kind = 'kms', env: more = {} } = options;
  const stack = await startStack({ emulator: { keys: [KEY] } });
  const { emulator, address, closers, connection } = stack;
  const env = {
    GCP_PROJECT: 'fleet',
    GCP_KMS_KEY_RING: 'fleet',
    GCP_KMS_KEY: 'fleet',
    KMS_EMULATOR_HOST: emulator.address,
    TEMPORAL_ADDRESS: address,
    ...lifetimeVariable(keyLifetimeMs),
    ...codecVariable(kind),
    ...more,
  };
  const workers = ['workflows', 'activities'].flatMap((role) =>
    Array.from({ length: processes }, () =>
      startNode(`${import.meta.dirname}/worker.ts`, { args: [role], env }),
    ),
  );
  closers.defer(() => Promise.all(workers.map((worker) => worker.kill())));
  const codec = closers.use(
    createKmsCodec(kmsEnvironment.parse(env), { namespace: NAMESPACE, limits: keyLimits(env) }),
  );
  const client = new Client({
    connection,
    namespace: NAMESPACE,
    plugins: kind === 'kms' ? [new KmsCodecPlugin(codec)] : [],
  });
  await Promise.all(workers.map(untilReady));

  const ids: string[] = [];
  let completed = 0;
  let failed = 0;
  let clientErrors = 0;
  const executeOne = async (): Promise<void> => {
    const workflowId = randomUUID();
    ids.push(workflowId);
    try {
      await client.workflow.execute<typeof shipment>('shipment', {
        workflowId,
        taskQueue: TASK_QUEUE,
        args: [`customer of ${workflowId}`],
      });
      completed += 1;
    } catch (error) {
      if (error instanceof WorkflowFailedError) failed += 1;
      else clientErrors += 1;
    }
  };

  return {
    emulator,
    workers,
    load: (inFlight) => {
      const stopping = new AbortController();
      const oneAfterAnother = async (): Promise<void> => {
        while (!stopping.signal.aborted) await executeOne();
      };
      const loops = Promise.all(Array.from({ length: inFlight }, oneAfterAnother));
      return {
        run: async (ms) => {
          const before = completed;
          await sleep(ms);
          return completed - before;
        },
        stop: async () => {
          stopping.abort();
          await loops;
        },
      };
    },
    report: async () => {
      const deadWorkers = workers.filter((worker) => !worker.isRunning()).length;
      const taskFailures = await countTaskFailures(client, ids);
      return { completed, failed, clientErrors, rerun: countReruns(workers), taskFailures, deadWorkers };
    },
    close: () => stack.close(),
  };
}

async function untilReady(worker: NodeProcess): Promise<void> {
  while (!worker.stdout().startsWith('ready')) {
    if (!worker.isRunning()) throw new Error(`A worker did not start:\n${worker.output()}`);
    await sleep(50);
  }
}

/** Counts the lines about an activity that ran before. */
function countReruns(workers: readonly NodeProcess[]): number {
  const seen = new Set<string>();
  let reruns = 0;
  for (const line of workers.flatMap((worker) => worker.stdout().split('\n'))) {
    const [word, workflowId, activityId] = line.split(' ');
    if (word !== 'run') continue;
    const activity = `${workflowId} ${activityId}`;
    if (seen.has(activity)) reruns += 1;
    seen.add(activity);
  }
  return reruns;
}

const {
  EVENT_TYPE_WORKFLOW_TASK_FAILED: WORKFLOW_TASK_FAILED,
  EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: WORKFLOW_TASK_TIMED_OUT,
} = proto.temporal.api.enums.v1.EventType;

async function countTaskFailures(client: Client, ids: readonly string[]): Promise<number> {
  let failures = 0;
  const rest = ids.flatMap((id) => [id, `${id}-handover`]);
  const reader = async (): Promise<void> => {
    for (let id = rest.pop(); id !== undefined; id = rest.pop()) {
      const { history } = await client.workflowService.getWorkflowExecutionHistory({
        namespace: NAMESPACE,
        execution: { workflowId: id },
      });
      for (const { eventType } of history?.events ?? []) {
        if (eventType === WORKFLOW_TASK_FAILED || eventType === WORKFLOW_TASK_TIMED_OUT) failures += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, reader));
  return failures;
}
