import { isServiceError } from '@temporal-kms/node-utils/error-details';
import { errorFields } from '../logging/error-fields.ts';
import type {
  DescribeTaskQueueRequest,
  DescribeTaskQueueResponse,
  Poller,
  SupervisedWorker,
  WorkerConnection,
} from './temporal-types.ts';
import type { OutageLog } from '@temporal-kms/node-utils/outage-log';
import { pause, settlesWithin } from './waits.ts';

/** The values of Temporal's `TaskQueueType` for workflow and activity task queues. */
const kinds = { workflow: 1, activity: 2 } as const;
type Kind = keyof typeof kinds;

export interface ProbeTimes {
  /** Time between two measurements, with 20 % jitter. */
  readonly intervalMs: number;
  /** Time between two measurements after a failure, or until the server has seen the first polls. */
  readonly soonMs: number;
  /** Time limit for one call. */
  readonly callMs: number;
  /**
   * If the server has not seen a poller for this time, the poller counts as not polling. The time is long,
   * because servers hold a poll for up to 60 s.
   */
  readonly staleMs: number;
}

export const probeTimes: ProbeTimes = { intervalMs: 15_000, soonMs: 1_000, callMs: 5_000, staleMs: 100_000 };

/** The value of `DescribeTaskQueueMode` for all partitions of a task queue. */
const ALL_PARTITIONS = 1;
/** The default number of activities that a worker runs concurrently. */
const DEFAULT_ACTIVITY_SLOTS = 100;
/** The share of `staleMs` after which the probe queries all partitions. */
const SOON_STALE = 0.8;
/**
 * The gRPC statuses with which a server refuses the query. After such a status, the server counts as
 * reachable, but polls cannot be measured until the server answers a query.
 */
const unsupported: ReadonlySet<number> = new Set([5, 7, 12]);
/**
 * Number of consecutive failures after which Temporal counts as unavailable. The number is more than one,
 * because a single failure may be only a lost packet.
 */
const FAILURES_UNTIL_UNREACHABLE = 2;

/**
 * Measures whether Temporal responds, and whether it has recently received a worker's polls. On the worker's
 * own connection, queries when the server last saw the worker's identity on the task queue. ADR 15 explains
 * the alternatives.
 */
export class PollProbe {
  readonly #connection: WorkerConnection;
  readonly #worker: SupervisedWorker;
  readonly #outage: OutageLog;
  readonly #times: ProbeTimes;
  /**
   * The server's last timestamp for each kind of poller, and when this process first saw this timestamp.
   * Timestamps are not compared with this machine's clock.
   */
  readonly #seen = new Map<Kind, { readonly stamp: string; readonly at: number }>();
  #failures = 0;
  #hasAnswered = false;
  #isMeasured = true;

  constructor(connection: WorkerConnection, worker: SupervisedWorker, outage: OutageLog, times = probeTimes) {
    this.#connection = connection;
    this.#worker = worker;
    this.#outage = outage;
    this.#times = times;
  }

  /** Whether Temporal responds; undefined before the first response. */
  get isReachable(): boolean | undefined {
    if (this.#failures >= FAILURES_UNTIL_UNREACHABLE) return false;
    return this.#hasAnswered ? true : undefined;
  }

  /**
   * Whether all of the worker's pollers have polled recently; undefined if the server does not report polls.
   */
  get isPolling(): boolean | undefined {
    const kindsInUse = this.#kinds();
    if (!this.#isWorkerRunning() || kindsInUse.length === 0) return false;
    if (!this.#isMeasured) return undefined;
    return kindsInUse.every((kind) => this.#isFresh(kind, this.#times.staleMs) || this.#isBusy(kind));
  }

  /** Seconds since the last poll that the server saw, for the poller that polled least recently. */
  get secondsSincePoll(): number | undefined {
    const ages = this.#kinds().map((kind) => performance.now() - (this.#seen.get(kind)?.at ?? Number.NaN));
    const longest = Math.max(...ages);
    return Number.isFinite(longest) ? Math.round(longest / 1_000) : undefined;
  }

  /**
   * Records, before the worker starts, when the server last saw the worker's identity, because an earlier
   * worker of this process had the same identity. Ignores failures, because `run` measures again.
   */
  async prepare(): Promise<void> {
    for (const kind of ['workflow', 'activity'] as const) {
      const { pollers } = await this.#describe(kind).catch((): DescribeTaskQueueResponse => ({}));
      this.#note(kind, pollers, Number.NEGATIVE_INFINITY);
    }
  }

  /** Measures at intervals until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#measure(signal);
      const { soonMs, intervalMs } = this.#times;
      const isSettled = this.#failures === 0 && this.isPolling !== false;
      await pause((isSettled ? intervalMs : soonMs) * (0.8 + 0.4 * Math.random()), signal);
    }
  }

  async #measure(signal: AbortSignal): Promise<void> {
    try {
      for (const kind of this.#kinds()) await this.#measureKind(kind);
      this.#isMeasured = true;
      this.#answered();
    } catch (error) {
      // Ignores the error, because the connection closes when the worker has ended.
      if (signal.aborted) return;
      if (isServiceError(error) && unsupported.has(error.code)) {
        this.#isMeasured = false;
        this.#answered();
        return;
      }
      this.#failures += 1;
      if (this.#failures >= FAILURES_UNTIL_UNREACHABLE) this.#outage.down({ ...errorFields(error) });
    }
  }

  #answered(): void {
    this.#failures = 0;
    this.#hasAnswered = true;
    this.#outage.up();
  }

  async #measureKind(kind: Kind): Promise<void> {
    const { pollers } = await this.#describe(kind);
    this.#note(kind, pollers);
    // The simple request covers only one partition of the task queue, and a worker with few pollers may poll
    // another partition.
    if (this.#isFresh(kind, SOON_STALE * this.#times.staleMs)) return;
    const all = await this.#describe(kind, {
      apiMode: ALL_PARTITIONS,
      reportPollers: true,
      taskQueueTypes: [kinds[kind]],
    });
    for (const version of Object.values(all.versionsInfo ?? {})) {
      this.#note(kind, version.typesInfo?.[String(kinds[kind])]?.pollers);
    }
  }

  async #describe(
    kind: Kind,
    more: Partial<DescribeTaskQueueRequest> = {},
  ): Promise<DescribeTaskQueueResponse> {
    const { namespace, taskQueue } = this.#worker.options;
    const { callMs } = this.#times;
    const call = this.#connection.withDeadline(Date.now() + callMs, () =>
      this.#connection.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: taskQueue },
        taskQueueType: kinds[kind],
        ...more,
      }),
    );
    // Core applies the deadline. The additional limit ensures that the measurement never hangs, even if Core
    // does not apply the deadline.
    if (!(await settlesWithin(call, 2 * callMs))) throw new Error('The call did not end at its deadline');
    return await call;
  }

  #note(kind: Kind, pollers: readonly Poller[] | null | undefined, at = performance.now()): void {
    const { identity } = this.#worker.options;
    for (const poller of pollers ?? []) {
      const { seconds, nanos } = poller.lastAccessTime ?? {};
      const stamp = `${String(seconds).padStart(20, '0')}.${String(nanos ?? 0).padStart(9, '0')}`;
      const known = this.#seen.get(kind);
      if (poller.identity !== identity || (known && stamp <= known.stamp)) continue;
      this.#seen.set(kind, { stamp, at });
    }
  }

  #isFresh(kind: Kind, limitMs: number): boolean {
    const seen = this.#seen.get(kind);
    return seen !== undefined && performance.now() - seen.at < limitMs;
  }

  /** Whether the worker already runs its maximum number of activities, and therefore does not poll. */
  #isBusy(kind: Kind): boolean {
    const slots = this.#worker.options.maxConcurrentActivityTaskExecutions ?? DEFAULT_ACTIVITY_SLOTS;
    return kind === 'activity' && (this.#worker.getStatus().numInFlightNonLocalActivities ?? 0) >= slots;
  }

  /** The kinds of tasks for which the worker polls. */
  #kinds(): Kind[] {
    const { workflowPollerState, activityPollerState } = this.#worker.getStatus();
    const states = { workflow: workflowPollerState, activity: activityPollerState };
    return (['workflow', 'activity'] as const).filter((kind) => states[kind] !== 'SHUTDOWN');
  }

  #isWorkerRunning(): boolean {
    const { workflowPollerState, activityPollerState } = this.#worker.getStatus();
    const hasFailed = workflowPollerState === 'FAILED' || activityPollerState === 'FAILED';
    return this.#worker.getState() === 'RUNNING' && !hasFailed;
  }
}
