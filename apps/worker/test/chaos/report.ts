import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { FleetWorker } from './fleet-worker.ts';
import type { Load } from './load.ts';
import { NAMESPACE } from './settings.ts';

/** The outcomes of workflows, activities and workers. */
export interface FleetReport {
  readonly completed: number;
  readonly failed: number;
  /** The distinct reasons why workflows failed. */
  readonly reasons: readonly string[];
  /**
   * Number of accepted workflows that neither completed nor failed, or that no longer exist.
   */
  readonly lost: number;
  /**
   * Number of activities that were scheduled but did not complete, or that completed although no process ran
   * them.
   */
  readonly lostActivities: number;
  /**
   * Number of calls that failed although their workflow did not fail, for example because the client could not encode
   * an input or decode a result.
   */
  readonly clientErrors: number;
  /** Number of repeated executions of activities. */
  readonly rerun: number;
  /** Number of repeated executions whose earlier execution was in a killed process. */
  readonly rerunAfterKill: number;
  /** Number of workflow tasks that failed or timed out. */
  readonly taskFailures: number;
  /**
   * Number of worker processes that ended by themselves, plus the number of workers that were replaced inside
   * their process.
   */
  readonly deadWorkers: number;
}

export async function reportOn(
  client: Client,
  workers: readonly FleetWorker[],
  loads: readonly Load[],
): Promise<FleetReport> {
  const ids = loads.flatMap((load) => load.ids);
  const sum = (count: (load: Load) => number) => loads.reduce((total, load) => total + count(load), 0);
  return {
    completed: sum((load) => load.completed),
    failed: sum((load) => load.failures.length),
    reasons: [...new Set(loads.flatMap((load) => load.failures))],
    clientErrors: sum((load) => load.clientErrors),
    ...countReruns(workers),
    ...(await readHistories(client, ids, ranIn(workers))),
    deadWorkers: await countDead(workers),
  };
}

async function countDead(workers: readonly FleetWorker[]): Promise<number> {
  let dead = 0;
  for (const worker of workers) {
    if (worker.isRunning()) dead += (await worker.readyz())?.restarts ?? 1;
    else if (!wasKilled(worker) && worker.child.exitCode !== 0) dead += 1;
  }
  return dead;
}

const wasKilled = (worker: FleetWorker): boolean => worker.child.signalCode === 'SIGKILL';

/** Counts executions of activities that had already run. */
export function countReruns(workers: readonly FleetWorker[]): Pick<FleetReport, 'rerun' | 'rerunAfterKill'> {
  const times = new Map<string, number>();
  const ofKilled = new Map<string, number>();
  for (const worker of workers) {
    for (const { activity } of worker.runs()) {
      times.set(activity, (times.get(activity) ?? 0) + 1);
      if (wasKilled(worker)) ofKilled.set(activity, (ofKilled.get(activity) ?? 0) + 1);
    }
  }
  let rerun = 0;
  let rerunAfterKill = 0;
  for (const [activity, count] of times) {
    rerun += count - 1;
    rerunAfterKill += Math.min(count - 1, ofKilled.get(activity) ?? 0);
  }
  return { rerun, rerunAfterKill };
}

const {
  EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: COMPLETED,
  EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: FAILED,
  EVENT_TYPE_WORKFLOW_TASK_FAILED: TASK_FAILED,
  EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: TASK_TIMED_OUT,
  EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: ACTIVITY_SCHEDULED,
  EVENT_TYPE_ACTIVITY_TASK_COMPLETED: ACTIVITY_COMPLETED,
} = proto.temporal.api.enums.v1.EventType;

/** Reads the histories of all workflows and of their children. */
async function readHistories(
  client: Client,
  ids: readonly string[],
  ran: ReadonlySet<string>,
): Promise<Pick<FleetReport, 'taskFailures' | 'lost' | 'lostActivities'>> {
  let taskFailures = 0;
  let lostActivities = 0;
  let lost = 0;
  const rest = ids.flatMap((id) => [
    { id, isChild: false },
    { id: `${id}-handover`, isChild: true },
  ]);
  const reader = async (): Promise<void> => {
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
      const execution = { workflowId: next.id };
      try {
        const { history } = await client.workflowService.getWorkflowExecutionHistory({
          namespace: NAMESPACE,
          execution,
        });
        const events = history?.events ?? [];
        lostActivities += countLost(next.id, events, ran);
        const types = events.map(({ eventType }) => eventType);
        taskFailures += types.filter((type) => type === TASK_FAILED || type === TASK_TIMED_OUT).length;
        const last = types.at(-1);
        if (last !== COMPLETED && last !== FAILED) lost += 1;
      } catch {
        // Not every workflow has a child workflow.
        if (!next.isChild) lost += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, reader));
  return { taskFailures, lost, lostActivities };
}

/** Returns the activities that processes have run. */
const ranIn = (workers: readonly FleetWorker[]): ReadonlySet<string> =>
  new Set(workers.flatMap((worker) => worker.runs().map(({ activity }) => activity)));

function countLost(
  workflowId: string,
  events: readonly proto.temporal.api.history.v1.IHistoryEvent[],
  ran: ReadonlySet<string>,
): number {
  const completed = new Set(
    events
      .filter(({ eventType }) => eventType === ACTIVITY_COMPLETED)
      .map((event) => String(event.activityTaskCompletedEventAttributes?.scheduledEventId)),
  );
  return events.filter(({ eventType, eventId, activityTaskScheduledEventAttributes: scheduled }) => {
    if (eventType !== ACTIVITY_SCHEDULED) return false;
    return !completed.has(String(eventId)) || !ran.has(`${workflowId} ${scheduled?.activityId}`);
  }).length;
}
