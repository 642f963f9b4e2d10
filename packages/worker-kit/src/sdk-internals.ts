import { KmsConfigurationError } from '@temporal-kms/kms-codec';
import proto from '@temporalio/proto';
import type { ActivityAttempts, CancelReason } from './attempts/activity-attempts.ts';
import { propertyOf } from '@temporal-kms/node-utils/error-details';
import type { SupervisedWorker } from './run-worker/temporal-types.ts';
import { settlesWithin } from './run-worker/waits.ts';
import { testedSdkVersions } from './sdk-version.ts';

/*
 * Reads and replaces internals of Temporal's SDK (`Worker` in `@temporalio/worker` 1.24), because the SDK has
 * no public API for these purposes. If the worker lacks a member that a function needs, the function throws
 * an error before the worker runs.
 */

/** Information about a failed worker that the SDK does not expose. */
export interface FailureDetails {
  /** The error that ended the worker. */
  readonly cause: unknown;
  /** Whether the worker's native part could not be finalized in time. */
  readonly isStuck: boolean;
  /** Ends the threads that run workflow code. */
  endThreads(): Promise<void>;
}

/**
 * Works around three defects in how the SDK handles a worker's failure (`Worker.runInternal`).
 *
 * - While polls are outstanding or workflows are cached, the worker's cleanup throws an `IllegalStateError`,
 *   and `run()` rejects with this error instead of the cause. The SDK logs the cause first, so this function
 *   takes the cause from the log.
 * - If a task is outstanding but no poll is outstanding, `finalizeShutdown` waits forever. This function
 *   gives the wait a time limit.
 * - If workflows are cached, the threads that run workflow code keep running. This function returns a way to
 *   end these threads.
 *
 * @throws KmsConfigurationError if the worker lacks one of the necessary members
 */
export function watchFailure(worker: SupervisedWorker, limitMs: number): FailureDetails {
  let cause: unknown;
  let isStuck = false;
  const terminators = threadTerminators(worker);
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
      await Promise.all(terminators.map((terminate) => terminate()));
    },
  };
}

/**
 * For each thread that runs a worker's workflow code, returns a function that ends the thread. A worker has
 * no such threads if it has no workflows, or if it runs them in its own thread (`debugMode`).
 */
function threadTerminators(worker: SupervisedWorker): (() => unknown)[] {
  if (!('workflowCreator' in worker)) unknownInternals('workflowCreator');
  const creator = worker.workflowCreator;
  if (creator === undefined || propertyOf(worker.options, 'debugMode') === true) return [];
  const clients = propertyOf(creator, 'workerThreadClients');
  if (!Array.isArray(clients)) unknownInternals('workflowCreator.workerThreadClients');
  return clients.map((client) => {
    const thread = propertyOf(client, 'workerThread');
    const terminate = propertyOf(thread, 'terminate');
    if (typeof terminate !== 'function') unknownInternals('workerThread.terminate');
    return () => Reflect.apply(terminate, thread, []);
  });
}

/**
 * Sets a variable that makes workers wait up to 1 s for outstanding polls when they shut down, unless the
 * environment already sets the variable. Without this variable, Core cancels the polls immediately, and tasks
 * are lost (ADR 15). Core reads the variable when a worker is created.
 */
export function waitForPollsAtShutdown(): void {
  process.env['TEMPORAL_POLL_SHUTDOWN_INTERRUPT_WAIT_MS'] ??= '1000';
}

/**
 * Returns a worker's payload codecs.
 * @throws KmsConfigurationError if this version of the SDK stores them elsewhere
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
 * Ends the waits of a worker's activities shortly before the process abandons the activities and ends.
 * @param endMs milliseconds until the process ends
 */
export function endWaitsWithin(worker: object, endMs: number): void {
  attemptsOf.get(worker)?.shutDown(endMs);
}

/**
 * Reports a worker's shutdown and its activity tasks to `attempts`, each task before the SDK decodes the
 * task's payloads (`Worker.pollLoop$`). Without these reports, the codec could not know the time limits of a
 * task, because the SDK passes only ids to a codec, and calls interceptors only after it has decoded the
 * input. Before the input is decoded, only Core (`NativeWorker`) can send a heartbeat.
 *
 * @throws KmsConfigurationError if the worker lacks one of the necessary members
 */
export function watchActivityTasks(worker: object, attempts: ActivityAttempts): void {
  const nativeWorker = propertyOf(worker, 'nativeWorker');
  const record = propertyOf(nativeWorker, 'recordActivityHeartbeat');
  if (typeof record !== 'function') unknownInternals('nativeWorker.recordActivityHeartbeat');
  const heartbeat = (bytes: Buffer): void => {
    try {
      Reflect.apply(record, nativeWorker, [bytes]);
    } catch {
      // This error means that Core no longer knows the attempt. Core also reports the end of the attempt as a
      // cancellation, so the error can be ignored.
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

/**
 * Returns whether a task is an activity task. Nexus tasks arrive through the same method but have other
 * variants.
 */
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
  // Copies the details, because the SDK replaces references to external storage in its array, and the
  // heartbeat must send the references unchanged.
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

/** Returns whether the attempt is final. Temporal does not retry if there is no retry policy. */
const isLastAttempt = ({ retryPolicy, attempt }: Start): boolean => {
  const attempts = retryPolicy ? (retryPolicy.maximumAttempts ?? 0) : 1;
  return attempts > 0 && (attempt ?? 1) >= attempts;
};

/**
 * Returns the time limit of the attempt, in ms. `scheduledTime` and `startedTime` both come from the server's
 * clock.
 */
function limitOf(start: Start): number {
  const { startToCloseTimeout, scheduleToCloseTimeout, scheduledTime, startedTime } = start;
  const toClose = milliseconds(startToCloseTimeout) || Number.POSITIVE_INFINITY;
  const scheduleToClose = milliseconds(scheduleToCloseTimeout) || Number.POSITIVE_INFINITY;
  const spent = startedTime && scheduledTime ? milliseconds(startedTime) - milliseconds(scheduledTime) : 0;
  return Math.max(0, Math.min(toClose, scheduleToClose - Math.max(0, spent)));
}

/** Converts a protobuf Duration or Timestamp to milliseconds. */
const milliseconds = (time: proto.google.protobuf.IDuration | null | undefined): number =>
  time ? Number(String(time.seconds ?? 0)) * 1_000 + (time.nanos ?? 0) / 1e6 : 0;

function cancelReasonOf(reason: number | null | undefined): CancelReason {
  if (reason === NOT_FOUND || reason === TIMED_OUT) return 'gone';
  return reason === WORKER_SHUTDOWN ? 'worker-shutdown' : 'other';
}

type Method = (...parameters: unknown[]) => unknown;

/** Replaces a method of a worker. @throws KmsConfigurationError if the worker has no method at this path */
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
      `@temporalio/worker ${testedSdkVersions.join(' and ')}. Install that version, and remove other packages that patch workers.`,
  );
}
