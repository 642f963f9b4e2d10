import { MAX_TASK_QUEUES, MAX_WORKERS, type RunTaskQueue } from '@temporal-kms/codec-api';
import { timestamp } from '@temporal-kms/histories/payloads';
import proto, { type temporal } from '@temporalio/proto';
import { LRUCache } from 'lru-cache';
import { isNotOffered } from '../temporal/grpc-errors.ts';
import type { TemporalService } from '../temporal/service.ts';

type Description = temporal.api.workflowservice.v1.IDescribeWorkflowExecutionResponse;
type DescribeResponse = temporal.api.workflowservice.v1.DescribeTaskQueueResponse;
type Poller = temporal.api.taskqueue.v1.IPollerInfo;
type Kind = RunTaskQueue['kind'];
type Pollers = Pick<RunTaskQueue, 'pollers' | 'lastPoll' | 'polling' | 'workers'>;

/** A task queue that a run uses. */
type UsedQueue = Pick<RunTaskQueue, 'name' | 'kind' | 'waiting'>;

/**
 * How long a queue counts as polled after its last poll, in milliseconds. Temporal holds a poll for up to
 * 60 s.
 */
const STALE_MS = 100_000;
/**
 * How long a result is cached, in milliseconds, so that many people who watch the same page cause only a few
 * calls.
 */
const KEEP_MS = 10_000;
/** Maximum number of task queues with a cached result. */
const MAX_KEPT = 1_024;
/**
 * Time limit for reading a queue's pollers, in milliseconds; longer than the time limit of each call to
 * Temporal.
 */
const CALL_MS = 30_000;

const { TaskQueueType, DescribeTaskQueueMode, PendingActivityState, PendingWorkflowTaskState } =
  proto.temporal.api.enums.v1;
const types: Readonly<Record<Kind, temporal.api.enums.v1.TaskQueueType>> = {
  workflow: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
  activity: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
};

/**
 * Returns the task queues that an open run depends on: the run's own task queue, and the task queues of
 * pending activities that no worker has taken. The result is sorted by the number of waiting tasks, in
 * descending order.
 * @param all whether to also return the task queues of activities that a worker has taken
 */
export function taskQueuesOf(description: Description, all = false): UsedQueue[] {
  const { workflowExecutionInfo: info, executionConfig: config, pendingWorkflowTask: task } = description;
  if (info?.closeTime) return [];
  const own = config?.taskQueue?.name ?? info?.taskQueue ?? '';
  const isWaiting = task?.state === PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED;
  const activities = new Map<string, number>();
  for (const { state, paused, activityOptions } of description.pendingActivities ?? []) {
    const waits = state === PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED && !paused;
    if (!waits && !all) continue;
    const name = activityOptions?.taskQueue?.name ?? own;
    activities.set(name, (activities.get(name) ?? 0) + (waits ? 1 : 0));
  }
  const queues: UsedQueue[] = [
    { name: own, kind: 'workflow', waiting: isWaiting ? 1 : 0 },
    ...[...activities].map(([name, waiting]) => ({ name, kind: 'activity' as const, waiting })),
  ];
  return queues
    .filter(({ name }) => name !== '')
    .toSorted((a, b) => b.waiting - a.waiting)
    .slice(0, MAX_TASK_QUEUES);
}

/**
 * Returns a function that reports the workers that poll a task queue, or undefined if Temporal does not
 * permit the call. Concurrent and repeated requests share one call. Returns the workers' names only on
 * request.
 */
export function taskQueuePollers(
  temporal: Pick<TemporalService, 'taskQueue'>,
): (
  namespace: string,
  queue: UsedQueue,
  signal: AbortSignal,
  named?: boolean,
) => Promise<RunTaskQueue | undefined> {
  const cache = new LRUCache<string, Pollers | 'unknown', { namespace: string; queue: UsedQueue }>({
    max: MAX_KEPT,
    ttl: KEEP_MS,
    // An entry that is evicted while its call is in flight still gets its result.
    ignoreFetchAbort: true,
    fetchMethod: (_key, _stale, { context: { namespace, queue } }) =>
      // Does not use the request's signal, because other requests wait for the same call.
      pollersOf(temporal, namespace, queue, AbortSignal.timeout(CALL_MS)),
  });
  return async (namespace, queue, signal, named = false) => {
    const key = JSON.stringify([namespace, queue.kind, queue.name]);
    const pollers = await cache.forceFetch(key, { context: { namespace, queue } });
    signal.throwIfAborted();
    if (pollers === 'unknown') return undefined;
    const { workers = [], ...counts } = pollers;
    return { ...queue, ...counts, ...(named && { workers }) };
  };
}

async function pollersOf(
  temporal: Pick<TemporalService, 'taskQueue'>,
  namespace: string,
  { name, kind }: UsedQueue,
  signal: AbortSignal,
): Promise<Pollers | 'unknown'> {
  const taskQueueType = types[kind];
  const request = { namespace, taskQueue: { name }, taskQueueType };
  const ask = (more: object = {}): Promise<DescribeResponse | undefined> =>
    temporal.taskQueue({ ...request, ...more }, signal).catch((error: unknown) => {
      if (isNotOffered(error)) return undefined;
      throw error;
    });
  const one = await ask();
  if (one === undefined) return 'unknown';
  const found = summaryOf(one.pollers);
  if (found.polling) return found;
  // Without `apiMode`, the call covers only one partition of the task queue. A worker with few pollers may
  // poll another partition.
  const all = await ask({
    apiMode: DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED,
    taskQueueTypes: [taskQueueType],
    reportPollers: true,
    versions: { unversioned: true, allActive: true },
  });
  const others = Object.values(all?.versionsInfo ?? {}).flatMap(
    ({ typesInfo }) => typesInfo?.[String(taskQueueType)]?.pollers ?? [],
  );
  return summaryOf([...one.pollers, ...others]);
}

function summaryOf(pollers: readonly Poller[]): Pollers {
  // A worker that polls several partitions is listed once for each.
  const latest = new Map<string, Poller>();
  for (const poller of pollers) {
    const identity = poller.identity ?? '';
    const known = latest.get(identity);
    if (known === undefined || millisOf(known) < millisOf(poller)) latest.set(identity, poller);
  }
  const sorted = [...latest.values()].toSorted((a, b) => millisOf(b) - millisOf(a));
  const [last] = sorted;
  return {
    workers: sorted.slice(0, MAX_WORKERS).map(workerOf),
    pollers: latest.size,
    ...(last?.lastAccessTime ? { lastPoll: timestamp(last.lastAccessTime) } : {}),
    polling: last !== undefined && Date.now() - millisOf(last) < STALE_MS,
  };
}

type QueueWorker = NonNullable<RunTaskQueue['workers']>[number];

/** Temporal reports this rate for a worker without a limit (`defaultTaskDispatchRPS`). */
const NO_LIMIT = 100_000;

function workerOf(poller: Poller): QueueWorker {
  const { identity, lastAccessTime, ratePerSecond, deploymentOptions, workerVersionCapabilities } = poller;
  const buildId = deploymentOptions?.buildId ?? workerVersionCapabilities?.buildId ?? '';
  const deployment =
    deploymentOptions?.deploymentName ?? workerVersionCapabilities?.deploymentSeriesName ?? '';
  const isLimited = ratePerSecond && ratePerSecond < NO_LIMIT;
  return {
    identity: identity ?? '',
    ...(lastAccessTime ? { lastPoll: timestamp(lastAccessTime) } : {}),
    ...(isLimited ? { ratePerSecond } : {}),
    ...(buildId === '' ? {} : { buildId }),
    ...(deployment === '' ? {} : { deployment }),
  };
}

const millisOf = ({ lastAccessTime: time }: Poller): number =>
  Number(time?.seconds ?? 0) * 1_000 + (time?.nanos ?? 0) / 1e6;
