import { KmsConfigurationError } from '@temporal-kms/kms-codec';
import proto from '@temporalio/proto';
import type { ActivityAttempts, CancelReason } from './attempts/activity-attempts.ts';
import { propertyOf } from '@temporal-kms/node-utils/error-details';
import type { SupervisedWorker } from './run-worker/temporal-types.ts';
import { settlesWithin } from './run-worker/waits.ts';
import { testedSdkVersions } from './sdk-version.ts';

/*
 * What this package reads and replaces of the inside of Temporal's SDK (`@temporalio/worker` 1.24, `Worker`), which has
 * no public place for it. Each function that needs a member throws if the worker lacks it, before the worker runs.
 */

/** What the SDK keeps to itself of a worker that fails. */
export interface FailureDetails {
  /** The error that ended the worker. */
  readonly cause: unknown;
  /** Whether the native part of the worker could not be finalized in time. */
  readonly isStuck: boolean;
  /** Ends the threads of workflow code. */
  endThreads(): Promise<void>;
}

/**
 * Works around three faults of a worker that fails (`Worker.runInternal`).
 *
 * - While polls are outstanding or workflows are cached, its clean-up throws an `IllegalStateError`, which `run()`
 *   rejects with instead of the cause. The SDK logs the cause before that.
 * - If no poll is outstanding but a task is, `finalizeShutdown` waits for ever. Here it waits until a time limit.
 * - The threads that run workflow code stay if workflows are cached.
 *
 * @throws KmsConfigurationError if the worker lacks one of these members
 */
export function watchFailure(worker: SupervisedWorker, limitMs: number): FailureDetails {
  let cause: unknown;
  let isStuck = false;
  replaceMethod(worker, 'logger.error', (log) => (message: unknown, fields: unknown) => {
    if (message === 'Worker failed') cause = propertyOf(fields, 'error');
    return log(message, fields);
  });
  replaceMethod(worker, 'nativeWorker.finalizeShutdown', (finalize) => async () => {
    const finalizing = Promise.resolve(finalize());
    isStuck = !(await settlesWithin(finalizing, limitMs));
    if (!isStuck) await finalizing;
  });
  return {
    get cause() {
      return cause;
    },
    get isStuck() {
      return isStuck;
    },
    endThreads: async () => {
      const clients = propertyOf(Reflect.get(worker, 'workflowCreator'), 'workerThreadClients');
      const threads = Array.isArray(clients)
        ? clients.map((client) => propertyOf(client, 'workerThread'))
        : [];
      await Promise.all(threads.map((thread) => callMethod(thread, 'terminate')));
    },
  };
}

/**
 * Makes workers that shut down wait up to 1 s for their outstanding polls, unless the variable is set. Without it, Core
 * cancels the polls at once, and tasks are lost (ADR 15). Core reads the variable when a worker is created.
 */
export function waitForPollsAtShutdown(): void {
  process.env['TEMPORAL_POLL_SHUTDOWN_INTERRUPT_WAIT_MS'] ??= '1000';
}

/**
 * Returns the payload codecs of a worker.
 * @throws KmsConfigurationError if the worker keeps them in another place
 */
export function codecsOf(worker: object): readonly unknown[] {
  const codecs = propertyOf(
    propertyOf(Reflect.get(worker, 'options'), 'loadedDataConverter'),
    'payloadCodecs',
  );
  return Array.isArray(codecs) ? codecs : unknownInternals('options.loadedDataConverter.payloadCodecs');
}

type ActivityTask = proto.coresdk.activity_task.IActivityTask;
const { ActivityHeartbeat, activity_task: tasks } = proto.coresdk;
const { NOT_FOUND, TIMED_OUT, WORKER_SHUTDOWN } = tasks.ActivityCancelReason;

const attemptsOf = new WeakMap<object, ActivityAttempts>();

/**
 * Ends the waits of a worker's activities before the process ends, which abandons them. @param endMs milliseconds
 * until then
 */
export function endWaitsWithin(worker: object, endMs: number): void {
  attemptsOf.get(worker)?.shutDown(endMs);
}

/**
 * Reports the shutdown of a worker, and the activity tasks that it receives, before the SDK decodes their payloads
 * (`Worker.pollLoop$`). The codec cannot learn the time limits of a task otherwise: the SDK passes only ids, and calls
 * interceptors after it has decoded the input. It also has no way to send a heartbeat before that, except the one of
 * Core (`NativeWorker`).
 *
 * @throws KmsConfigurationError if the worker lacks one of these members
 */
export function watchActivityTasks(worker: object, attempts: ActivityAttempts): void {
  const nativeWorker = propertyOf(worker, 'nativeWorker');
  const record = propertyOf(nativeWorker, 'recordActivityHeartbeat');
  if (typeof record !== 'function') unknownInternals('nativeWorker.recordActivityHeartbeat');
  const heartbeat = (bytes: Buffer): void => {
    try {
      Reflect.apply(record, nativeWorker, [bytes]);
    } catch {
      // Core no longer knows the attempt, and reports that as a cancellation.
    }
  };
  attemptsOf.set(worker, attempts);
  const forceMs = propertyOf(propertyOf(worker, 'options'), 'shutdownForceTimeMs');
  replaceMethod(worker, 'shutdown', (shutdown) => () => {
    shutdown();
    if (typeof forceMs === 'number') attempts.shutDown(forceMs);
  });
  replaceMethod(worker, 'pollLoop$', (pollLoop) => (poll: unknown) => {
    if (typeof poll !== 'function') return pollLoop(poll);
    return pollLoop(async () => {
      const polled: unknown = await poll();
      const [task, token] = [propertyOf(polled, 'task'), propertyOf(polled, 'base64TaskToken')];
      if (typeof token === 'string' && isActivityTask(task)) report(task, token, attempts, heartbeat);
      return polled;
    });
  });
  attempts.isComplete = true;
}

/** Nexus tasks, which come from the same method, have other variants. */
const isActivityTask = (task: unknown): task is ActivityTask =>
  ['start', 'cancel'].includes(String(propertyOf(task, 'variant')));

function report(
  { start, cancel, taskToken }: ActivityTask,
  token: string,
  attempts: ActivityAttempts,
  heartbeat: (bytes: Buffer) => void,
): void {
  if (cancel) attempts.cancel(token, cancelReasonOf(cancel.reason));
  if (!start) return;
  // The SDK replaces those in external storage. The heartbeat must not.
  const details = [...(start.heartbeatDetails ?? [])];
  const ids = { workflowId: start.workflowExecution?.workflowId ?? '', activityId: start.activityId ?? '' };
  attempts.start(token, ids, {
    limitMs: limitOf(start),
    heartbeatTimeoutMs: milliseconds(start.heartbeatTimeout) || undefined,
    isLast: isLastAttempt(start),
    heartbeat: start.isLocal
      ? undefined
      : () =>
          heartbeat(
            Buffer.from(
              ActivityHeartbeat.encodeDelimited({ taskToken: taskToken ?? null, details }).finish(),
            ),
          ),
  });
}

type Start = NonNullable<ActivityTask['start']>;

/** Without a retry policy, Temporal does not retry. */
const isLastAttempt = ({ retryPolicy, attempt }: Start): boolean => {
  const attempts = retryPolicy ? (retryPolicy.maximumAttempts ?? 0) : 1;
  return attempts > 0 && (attempt ?? 1) >= attempts;
};

/** Both times of the limit from schedule to close are on the server's clock. */
function limitOf(start: Start): number {
  const { startToCloseTimeout, scheduleToCloseTimeout, scheduledTime, startedTime } = start;
  const toClose = milliseconds(startToCloseTimeout) || Number.POSITIVE_INFINITY;
  const scheduleToClose = milliseconds(scheduleToCloseTimeout) || Number.POSITIVE_INFINITY;
  const spent = startedTime && scheduledTime ? milliseconds(startedTime) - milliseconds(scheduledTime) : 0;
  return Math.max(0, Math.min(toClose, scheduleToClose - Math.max(0, spent)));
}

/** Returns the milliseconds of a protobuf Duration or Timestamp. */
const milliseconds = (time: proto.google.protobuf.IDuration | null | undefined): number =>
  time ? Number(String(time.seconds ?? 0)) * 1_000 + (time.nanos ?? 0) / 1e6 : 0;

function cancelReasonOf(reason: number | null | undefined): CancelReason {
  if (reason === NOT_FOUND || reason === TIMED_OUT) return 'gone';
  return reason === WORKER_SHUTDOWN ? 'worker-shutdown' : 'other';
}

type Method = (...parameters: unknown[]) => unknown;

/** @throws KmsConfigurationError if the worker has no method at this path */
function replaceMethod(worker: object, path: string, make: (original: Method) => Method): void {
  const names = path.split('.');
  const name = names.pop() ?? '';
  const owner = names.reduce<unknown>((value, one) => propertyOf(value, one), worker);
  const method = propertyOf(owner, name);
  if (typeof method !== 'function' || typeof owner !== 'object' || owner === null) unknownInternals(path);
  Reflect.set(
    owner,
    name,
    make((...parameters) => Reflect.apply(method, owner, parameters)),
  );
}

function unknownInternals(member: string): never {
  throw new KmsConfigurationError(
    `Temporal's worker has no ${member}, which @temporal-kms/worker-kit needs: its internals differ from those of ` +
      `@temporalio/worker ${testedSdkVersions.join(' and ')}. Install that version, and no other package that changes workers.`,
  );
}

function callMethod(object: unknown, name: string): unknown {
  const method = propertyOf(object, name);
  return typeof method === 'function' ? Reflect.apply(method, object, []) : undefined;
}
