import { messageOf } from '@temporal-kms/node-utils/error-details';
import { WorkflowExecutionAlreadyStartedError, type WorkflowHandle } from '@temporalio/client';
import { catalogue } from './catalogue.ts';
import type { SampleClients } from './clients.ts';
import type { SampleRun } from './sample-data.ts';

export interface SeedDeps {
  readonly clients: SampleClients;
  readonly taskQueue: string;
  readonly runs: readonly SampleRun[];
  /** Prints a line for each sample. */
  readonly print: (line: string) => void;
}

export interface Seeded {
  readonly started: number;
  /** Number of samples that already existed. */
  readonly kept: number;
  readonly failed: number;
}

/**
 * Starts the sample data. An existing workflow remains unchanged, unless it should be closed but is still
 * running. In that case, an earlier call was interrupted, and this call finishes its work. A sample that
 * fails does not stop the other samples.
 */
export async function seed({ clients, taskQueue, runs, print }: SeedDeps): Promise<Seeded> {
  const counts = { started: 0, kept: 0, failed: 0 };
  const start = async (run: SampleRun) => {
    try {
      const { handle, isNew } = await startOrFind(run, clients, taskQueue);
      if (isNew || (run.ends === 'closed' && (await isRunning(handle))))
        await run.afterwards?.(handle, clients);
      counts[isNew ? 'started' : 'kept'] += 1;
      print(
        `${run.workflowId}: ${isNew ? 'started' : 'already exists'} (${catalogue[run.sample].description})`,
      );
    } catch (error) {
      counts.failed += 1;
      print(`${run.workflowId}: could not be started. ${messageOf(error)}`);
    }
  };
  // The sample with a low priority starts after the other samples.
  const urgent = runs.filter(({ sample }) => sample !== 'stocktake');
  await Promise.all(urgent.map(start));
  for (const run of runs) if (!urgent.includes(run)) await start(run);
  return counts;
}

async function startOrFind(
  run: SampleRun,
  clients: SampleClients,
  taskQueue: string,
): Promise<{ handle: WorkflowHandle; isNew: boolean }> {
  const { workflowId, sample, format = 'envelope-v2', input, options } = run;
  const client = clients.get(format);
  try {
    const handle = await catalogue[sample].start(client, { workflowId, taskQueue, input, options });
    return { handle, isNew: true };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return { handle: client.workflow.getHandle(workflowId), isNew: false };
  }
}

/** Uses the raw call, because `handle.describe()` would decode the memo, which needs the key. */
async function isRunning({ client, workflowId }: WorkflowHandle): Promise<boolean> {
  const { workflowExecutionInfo } = await client.workflowService.describeWorkflowExecution({
    namespace: client.options.namespace,
    execution: { workflowId },
  });
  return !workflowExecutionInfo?.closeTime;
}
