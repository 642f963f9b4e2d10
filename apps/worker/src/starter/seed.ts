import { WorkflowExecutionAlreadyStartedError, type WorkflowHandle } from '@temporalio/client';
import { messageOf } from '../errors.ts';
import { catalogue } from './catalogue.ts';
import type { SampleClients } from './clients.ts';
import type { SampleRun } from './sample-data.ts';

export interface SeedDeps {
  readonly clients: SampleClients;
  readonly taskQueue: string;
  readonly runs: readonly SampleRun[];
  /** Takes one line a sample. */
  readonly say: (line: string) => void;
}

export interface Seeded {
  readonly started: number;
  /** Were there before, as they should be. */
  readonly kept: number;
  readonly failed: number;
}

/**
 * Starts the sample data. An id that exists is left alone, unless it should have been closed and still runs: then an
 * earlier call was cut off, and what should happen to it happens now. One sample's trouble doesn't stop the others.
 */
export async function seed({ clients, taskQueue, runs, say }: SeedDeps): Promise<Seeded> {
  const counts = { started: 0, kept: 0, failed: 0 };
  const one = async (run: SampleRun) => {
    try {
      const { handle, isNew } = await startOrFind(run, clients, taskQueue);
      if (isNew || (run.ends === 'closed' && (await isRunning(handle))))
        await run.afterwards?.(handle, clients);
      counts[isNew ? 'started' : 'kept'] += 1;
      say(`${run.workflowId}: ${isNew ? 'started' : 'there already'} (${catalogue[run.sample].description})`);
    } catch (error) {
      counts.failed += 1;
      say(`${run.workflowId}: could not be started. ${messageOf(error)}`);
    }
  };
  // The ones with a low priority wait until the others are there.
  const urgent = runs.filter(({ sample }) => sample !== 'stocktake');
  await Promise.all(urgent.map(one));
  for (const run of runs) if (!urgent.includes(run)) await one(run);
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

/** Asked of the server directly: `handle.describe()` decodes the memo, which needs the key. */
async function isRunning({ client, workflowId }: WorkflowHandle): Promise<boolean> {
  const { workflowExecutionInfo } = await client.workflowService.describeWorkflowExecution({
    namespace: client.options.namespace,
    execution: { workflowId },
  });
  return !workflowExecutionInfo?.closeTime;
}
