import { messageOf } from '@temporal-kms/node-utils/error-details';
import type { ReasonCode } from '@temporal-kms/kms-codec';
import { errorFields } from '../logging/error-fields.ts';
import { type WriteLog, writeLine } from '@temporal-kms/node-utils/log-entry';
import { endWaitsWithin, waitForPollsAtShutdown } from '../sdk-internals.ts';
import { probeTimes } from './poll-probe.ts';
import { Supervisor, type SupervisorTimes, type WorkerPhase, WorkerNotSettled } from './supervisor.ts';
import type { SupervisedWorker, WorkerConnection } from './temporal-types.ts';
import { settlesWithin } from './waits.ts';
import { type WorkerCodec, WorkerKeys } from './worker-keys.ts';
import { WorkerMisconfigured } from './worker-misconfigured.ts';
import { MISCONFIGURED } from '../logging.ts';

/** The exit codes of a process that `runWorker` ends. */
export const workerExitCodes = {
  /** All running activities completed. */
  stopped: 0,
  /** Activities were abandoned, a time limit expired, or a second signal arrived. */
  abandoned: 1,
  /**
   * A failed worker could not be released, so another process must replace this one. `EX_SOFTWARE` in
   * sysexits.h.
   */
  notSettled: 70,
  /**
   * The configuration is wrong, so another process with the same configuration would also fail. `EX_CONFIG`
   * in sysexits.h.
   */
  misconfigured: 78,
} as const;

/** Options of `runWorker`. */
export interface RunWorkerOptions<C extends WorkerConnection> {
  /** The codec that the worker's plugin uses. `runWorker` closes it. */
  readonly codec: WorkerCodec;
  /** The namespace in which the worker polls. */
  readonly namespace: string;
  /**
   * Opens a connection, for example `() => NativeConnection.connect(…)`. The process must not have another
   * connection (see `runWorker`).
   */
  readonly connect: () => Promise<C>;
  /**
   * Creates a worker on the connection, for example `(connection) => Worker.create({ connection, … })`.
   * `runWorker` calls this function again for each restart.
   */
  readonly createWorker: (connection: C) => Promise<SupervisedWorker>;
  /**
   * Receives log entries, as in `createSafeLogger({ write })`. By default, entries are written to standard
   * error as lines of JSON.
   */
  readonly write?: WriteLog;
  /** The signals that start a graceful shutdown. By default, SIGINT and SIGTERM. */
  readonly signals?: readonly NodeJS.Signals[];
  /** Ends the process. The default is `process.exit`. */
  readonly exit?: (code: number) => void;
  /**
   * How long the process may take to end after the worker's own time limits, in milliseconds. Default 5,000.
   */
  readonly stopMs?: number;
}

/** The state of a worker, which `readiness()` determines without a call. */
export interface WorkerReadiness {
  /**
   * `ready` means that the worker polls, Temporal responds, and keys last long enough. `degraded` means the
   * same, except that Cloud KMS does not respond. A readiness probe succeeds in both states.
   */
  readonly status: 'ready' | 'degraded' | 'not_ready';
  readonly phase: WorkerPhase;
  /** Number of times that this process has replaced a failed worker. */
  readonly restarts: number;
  /** Why the last step failed, as an error code or class, but never as a message. */
  readonly trouble?: string;
  /**
   * Whether Temporal responded to the last calls. This is absent while there is no worker, or before the
   * first response.
   */
  readonly temporalReachable?: boolean;
  /**
   * Whether Temporal's server has recently received polls. This is absent while there is no worker, or if the
   * server does not report polls.
   */
  readonly polling?: boolean;
  /**
   * Seconds since this process last observed that the server had received or answered a poll. An idle worker
   * polls once a minute.
   */
  readonly secondsSincePoll?: number;
  /**
   * How many seconds the keys last without Cloud KMS. This is infinity if the namespace only decrypts and no
   * key is in use.
   */
  readonly autonomySeconds: number;
  /** Why the last Cloud KMS call for the keys failed. This is absent while Cloud KMS responds. */
  readonly kmsFailure?: ReasonCode;
}

/** A worker that `runWorker` has started. */
export interface RunningWorker {
  readiness(): WorkerReadiness;
  /** Starts a graceful shutdown, as a signal does. */
  stop(): void;
  /** Resolves with the exit code after the function `exit` in the options was called. */
  readonly ended: Promise<number>;
}

/**
 * Two signals within this time, in ms, count as one, because a terminal and a launcher may both deliver the
 * same signal.
 */
const SAME_SIGNAL_MS = 500;
const STOP_MS = 5_000;
const CLOSE_MS = 1_000;

/** The time limits of `runWorker`. */
export const supervisorTimes: SupervisorTimes = {
  settleMs: 10_000,
  firstDelayMs: 1_000,
  maxDelayMs: 30_000,
  namespaceMs: 60_000,
  probe: probeTimes,
};

/** Like `runWorker`, but with configurable time limits, for tests. */
export function superviseProcess<C extends WorkerConnection>(
  options: RunWorkerOptions<C>,
  limits: SupervisorTimes,
): RunningWorker {
  const { stopMs = STOP_MS } = options;
  if (!(stopMs >= 0)) throw new RangeError(`stopMs is ${stopMs}; it must be 0 or more`);
  waitForPollsAtShutdown();
  return new WorkerProcess({ ...options, stopMs }, limits);
}

/** Manages the process of a worker. Handles signals, and ends the process. */
class WorkerProcess<C extends WorkerConnection> implements RunningWorker {
  readonly ended: Promise<number>;
  readonly #options: RunWorkerOptions<C> & { readonly stopMs: number };
  readonly #write: WriteLog;
  readonly #signals: readonly NodeJS.Signals[];
  readonly #stopping = new AbortController();
  readonly #keys: WorkerKeys;
  readonly #supervisor: Supervisor<C>;
  #resolveEnded: (code: number) => void = () => undefined;
  #isEnding = false;
  #firstSignal = 0;

  constructor(options: RunWorkerOptions<C> & { readonly stopMs: number }, times: SupervisorTimes) {
    const { codec, namespace, write = writeLine, signals = ['SIGINT', 'SIGTERM'] } = options;
    this.#options = options;
    this.#write = write;
    this.#signals = signals;
    this.#keys = new WorkerKeys(codec, namespace, write);
    const { signal } = this.#stopping;
    this.#supervisor = new Supervisor({ ...options, keys: this.#keys, signal, write, times });
    this.ended = new Promise<number>((resolve) => {
      this.#resolveEnded = resolve;
    });
    for (const name of signals) process.on(name, this.#onSignal);
    void this.#run();
  }

  readiness(): WorkerReadiness {
    return readinessOf(this.#supervisor, this.#keys);
  }

  stop(): void {
    this.#stop({});
  }

  async #run(): Promise<void> {
    const code = await this.#supervise();
    await settlesWithin(this.#options.codec.close(), CLOSE_MS);
    this.#end(code);
  }

  async #supervise(): Promise<number> {
    try {
      return (await this.#supervisor.run()) ? workerExitCodes.stopped : workerExitCodes.abandoned;
    } catch (error) {
      if (error instanceof WorkerMisconfigured) {
        const fields = errorFields(error.cause);
        const reason = messageOf(error.cause);
        this.#write({ level: 'ERROR', message: MISCONFIGURED, fields: { reason, ...fields } });
        return workerExitCodes.misconfigured;
      }
      const cause = error instanceof WorkerNotSettled ? (error.cause ?? error) : error;
      this.#write({
        level: 'ERROR',
        message: 'The worker failed and cannot be released; the process ends',
        fields: { ...errorFields(cause) },
      });
      return this.#stopping.signal.aborted ? workerExitCodes.abandoned : workerExitCodes.notSettled;
    }
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (!this.#stopping.signal.aborted) {
      this.#stop({ signal });
    } else if (performance.now() - this.#firstSignal >= SAME_SIGNAL_MS) {
      this.#write({ level: 'WARN', message: 'Second signal; the process ends at once', fields: { signal } });
      this.#end(workerExitCodes.abandoned);
    }
  };

  #stop(fields: Readonly<Record<string, unknown>>): void {
    if (this.#stopping.signal.aborted) return;
    this.#firstSignal = performance.now();
    this.#write({ level: 'INFO', message: 'Worker stopping: running activities can still complete', fields });
    this.#supervisor.phase = 'stopping';
    const { worker } = this.#supervisor;
    const { shutdownForceTimeMs = 0, shutdownGraceTimeMs = 0 } = worker?.options ?? {};
    const limitMs = Math.max(shutdownForceTimeMs, shutdownGraceTimeMs) + this.#options.stopMs;
    setTimeout(() => this.#endInTime(), limitMs).unref();
    if (worker) endWaitsWithin(worker, limitMs);
    this.#stopping.abort();
  }

  #endInTime(): void {
    if (this.#isEnding) return;
    const message = 'The worker did not stop in time; the process ends without it';
    this.#write({ level: 'ERROR', message, fields: {} });
    this.#end(workerExitCodes.abandoned);
  }

  #end(code: number): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    for (const name of this.#signals) process.off(name, this.#onSignal);
    this.#write({ level: 'INFO', message: 'Worker stopped', fields: { exitCode: code } });
    const { exit = (status) => process.exit(status) } = this.#options;
    exit(code);
    this.#resolveEnded(code);
  }
}

function readinessOf<C extends WorkerConnection>(
  { phase, restarts, trouble, probe, worker }: Supervisor<C>,
  keys: WorkerKeys,
): WorkerReadiness {
  const { isReachable, isPolling, secondsSincePoll } = probe ?? {};
  const { failure } = keys;
  const isReady =
    phase === 'polling' &&
    worker?.getState() === 'RUNNING' &&
    isReachable === true &&
    isPolling !== false &&
    keys.suffice;
  return {
    status: !isReady ? 'not_ready' : failure !== undefined ? 'degraded' : 'ready',
    phase,
    restarts,
    ...(trouble !== undefined && { trouble }),
    ...(isReachable !== undefined && { temporalReachable: isReachable }),
    ...(isPolling !== undefined && { polling: isPolling }),
    ...(secondsSincePoll !== undefined && { secondsSincePoll }),
    autonomySeconds: keys.autonomySeconds,
    ...(failure !== undefined && { kmsFailure: failure }),
  };
}
