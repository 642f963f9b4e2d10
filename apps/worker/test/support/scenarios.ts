import { randomUUID } from 'node:crypto';
import { type Client, WithStartWorkflowOperation, type WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';
import pRetry from 'p-retry';
import { catalogue } from '../../src/starter/catalogue.ts';
import { askShop, basket, closeBasket, putIntoBasket } from '../../src/workflows/basket.ts';
import { dailyReport } from '../../src/workflows/daily-report.ts';
import { collect, type repair, ticket } from '../../src/workflows/repair.ts';
import { namespace, taskQueue } from './stack.ts';

/** Retries a function for a minute or longer. Unlike `vi.waitFor`, this function also works outside Vitest. */
const until = <T>(attempt: () => Promise<T>): Promise<T> =>
  pRetry(attempt, { retries: 600, factor: 1, minTimeout: 100 });

/** Creates a schedule and starts two runs, of which the second receives the first run's result. */
export async function runSchedule(client: Client, name: string) {
  const handle = await client.schedule.create({
    scheduleId: 'reports',
    // Only the backfill starts runs.
    spec: { intervals: [{ every: '1 day' }] },
    state: { paused: true },
    memo: { owner: `Schedule of ${name}` },
    action: {
      type: 'startWorkflow',
      workflowType: dailyReport,
      taskQueue,
      workflowId: 'report',
      args: [{ shop: `Corner shop of ${name}` }],
      memo: { reader: `Report for ${name}` },
      staticSummary: `Daily report of ${name}`,
      staticDetails: `Print it for ${name}`,
    },
  });
  const started = (count: number) =>
    until(async () => {
      const description = await handle.describe();
      const runs = description.info.recentActions.map(({ action }) => action.workflow.workflowId);
      if (runs.length < count)
        throw new Error(`The schedule has started ${runs.length} of ${count} workflows.`);
      return { runs, description };
    });
  // A schedule passes on a run's result only if another run is waiting for the first run to end, so one request starts
  // both runs.
  const [start, end] = [new Date('2026-01-01T12:00:00Z'), new Date('2026-01-03T12:00:00Z')];
  await handle.backfill({ start, end, overlap: 'BUFFER_ALL' });
  const { runs, description } = await started(2);
  const results = await Promise.all(
    runs.map((workflowId) => client.workflow.getHandle<typeof dailyReport>(workflowId).result()),
  );
  return { description, results };
}

/**
 * Starts a basket together with its first update, sends a second update in the same way, and closes the
 * basket.
 */
export async function updateWithStart(client: Client, name: string) {
  const put = (article: string) =>
    client.workflow.executeUpdateWithStart(putIntoBasket, {
      args: [`${article} for ${name}`],
      startWorkflowOperation: new WithStartWorkflowOperation(basket, {
        workflowId: 'basket-updated',
        taskQueue,
        args: [{ customer: name }],
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    });
  const answers = [await put('Kettle'), await put('Lamp')];
  const handle = client.workflow.getHandle<typeof basket>('basket-updated');
  await handle.signal(closeBasket, `Wrapped for ${name}`);
  return { answers, result: await handle.result() };
}

/**
 * Starts a basket together with its first signal, sends a second signal in the same way, and closes the
 * basket.
 */
export async function signalWithStart(client: Client, name: string) {
  const ask = (question: string) =>
    client.workflow.signalWithStart(basket, {
      workflowId: 'basket-signalled',
      taskQueue,
      args: [{ customer: name }],
      signal: askShop,
      signalArgs: [`${question} ${name}`],
    });
  await ask('Is it new,');
  const handle = await ask('Is it blue,');
  await handle.signal(closeBasket, `Thanks from ${name}`);
  return handle.result();
}

/** Starts a repair, and returns the task token that the activity gave to the workflow. */
export async function startRepair(client: Client, workflowId: string, name: string) {
  const input = { customer: name, article: `Clock of ${name}` };
  await catalogue.repair.start(client, { workflowId, taskQueue, input });
  const handle: WorkflowHandle<typeof repair> = client.workflow.getHandle(workflowId);
  const token = await until(async () => {
    const text = await handle.query(ticket);
    if (text === '') throw new Error('The activity has not given its task token.');
    return Buffer.from(text, 'base64');
  });
  return { handle, token };
}

/** Completes a repair by its task token, after a heartbeat. */
export async function completeRepair(client: Client, workflowId: string, name: string) {
  const { handle, token } = await startRepair(client, workflowId, name);
  await client.activity.heartbeat(token, `Clock of ${name} is open`);
  await client.activity.complete(token, `Repaired the clock of ${name}`);
  await handle.signal(collect, `Neighbour of ${name}`);
  return handle.result();
}

export const untilActivityStarted = (handle: WorkflowHandle) =>
  until(async () => {
    const { raw } = await handle.describe();
    if (!raw.pendingActivities?.[0]?.lastStartedTime) throw new Error('No activity has started.');
  });

/** Fails a repair by its task token. */
export async function failRepair(client: Client, workflowId: string, name: string) {
  const { handle, token } = await startRepair(client, workflowId, name);
  await client.activity.fail(token, new Error(`No spare parts for ${name}`));
  return handle.result();
}

/** Cancels a repair. The workshop reports the cancellation with details. */
export async function cancelRepair(client: Client, workflowId: string, name: string) {
  const { handle, token } = await startRepair(client, workflowId, name);
  await handle.cancel();
  await until(() => client.activity.reportCancellation(token, `Clock of ${name} goes back unrepaired`));
  return handle.result();
}

/** Resets a completed workflow to its last workflow task, and returns the result of the new run. */
export async function resetToLastTask(client: Client, workflowId: string) {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const { EVENT_TYPE_WORKFLOW_TASK_COMPLETED } = proto.temporal.api.enums.v1.EventType;
  const lastTask = events?.findLast(({ eventType }) => eventType === EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
  const { runId } = await client.workflowService.resetWorkflowExecution({
    namespace,
    workflowExecution: { workflowId },
    reason: 'the last task was wrong',
    requestId: randomUUID(),
    ...(lastTask?.eventId && { workflowTaskFinishEventId: lastTask.eventId }),
  });
  return { runId, result: (await client.workflow.getHandle(workflowId, runId).result()) as unknown };
}
