import { KmsConfigurationError } from '@temporal-kms/kms-codec';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { errorFields } from '../logging/error-fields.ts';
import type { WriteLog } from '@temporal-kms/node-utils/log-entry';
import { isFailureOfTemporal, isMissingNamespace, knownError } from '../logging/known-errors.ts';
import { OutageLog } from '@temporal-kms/node-utils/outage-log';
import { PollProbe, type ProbeTimes } from './poll-probe.ts';
import { type FailureDetails, watchFailure } from '../sdk-internals.ts';
import type { SupervisedWorker, WorkerConnection } from './temporal-types.ts';
import { Backoff, pause, settlesWithin, untilAborted } from './waits.ts';
import type { WorkerKeys } from './worker-keys.ts';
import { WorkerMisconfigured } from './worker-misconfigured.ts';

/** What a supervised worker is doing. */
export type WorkerPhase =
  | 'starting'
  | 'waiting_for_kms'
  | 'waiting_for_temporal'
  | 'polling'
  | 'draining'
  | 'restarting'
  | 'stopping';

/** After a worker that ran for at least this time, in ms, the restart delay is reset to its minimum. */
const HEALTHY_MS = 60_000;
/** The maximum delay, in ms, until the first worker has started, or while Temporal does not respond. */
const COLD_DELAY_MS = 5_000;
const CHECK_MS = 250;
const CLOSE_MS = 1_000;

export interface SupervisorTimes {
  /**
   * Time limit within which a failed worker must settle. For a worker that was shut down, the limit begins
   * after the worker's own time limits.
   */
  readonly settleMs: number;
  /** The first and the maximum delay between two workers. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /**
   * How long the first worker's start is retried if Temporal's server lacks the namespace, which may be
   * created soon.
   */
  readonly namespaceMs: number;
  readonly probe: ProbeTimes;
}

export interface SupervisorOptions<C extends WorkerConnection> {
  readonly connect: () => Promise<C>;
  readonly createWorker: (connection: C) => Promise<SupervisedWorker>;
  readonly keys: WorkerKeys;
  readonly signal: AbortSignal;
  readonly write: WriteLog;
  readonly times: SupervisorTimes;
}

/**
 * Thrown if a worker hangs: its resources are then released only when the process ends. `cause` is the
 * worker's failure.
 */
export class WorkerNotSettled extends Error {
  override readonly name = 'WorkerNotSettled';

  constructor(options?: ErrorOptions) {
    super('The worker cannot be released', options);
  }
}

/** Runs a worker, stops polling while keys do not last long enough, and replaces a failed worker. */
export class Supervisor<C extends WorkerConnection> {
  phase: WorkerPhase = 'starting';
  /** Number of times that this supervisor has replaced a failed worker. */
  restarts = 0;
  /** Why the last step failed: an error code or class, never a message. */
  trouble: string | undefined;
  probe: PollProbe | undefined;
  worker: SupervisedWorker | undefined;
  readonly #options: SupervisorOptions<C>;
  readonly #backoff: Backoff;
  readonly #temporal: OutageLog;
  readonly #started = performance.now();
  #hasRun = false;
  /**
   * Why the last worker could not be created. If consecutive attempts fail for the same reason, only the
   * first failure is logged.
   */
  #startFailure: string | undefined;

  constructor(options: SupervisorOptions<C>) {
    this.#options = options;
    this.#backoff = new Backoff(options.times.firstDelayMs);
    const messages = { down: 'Temporal unavailable', up: 'Temporal available again' };
    this.#temporal = new OutageLog(options.write, messages);
  }

  /**
   * Runs until the signal is aborted.
   * @returns whether all running activities completed in time
   * @throws WorkerNotSettled if a worker cannot be released, so the process must end
   * @throws WorkerMisconfigured if only a different configuration helps
   */
  async run(): Promise<boolean> {
    const { keys, signal, times } = this.#options;
    while (!signal.aborted) {
      const hasKeys = await keys.wait(signal, (reason) => this.#trouble('waiting_for_kms', reason));
      if (!hasKeys) break;
      const connection = await this.#connect();
      if (!connection) break;
      // Checks the keys again, because Cloud KMS may have become unavailable while Temporal was unavailable.
      const outcome = keys.suffice ? await this.#runOne(connection) : 'drained';
      if (signal.aborted) {
        // A failure is ignored, because the process ends in any case.
        await settlesWithin(connection.close(), CLOSE_MS);
        return outcome !== 'failed';
      }
      await this.#closeConnection(connection);
      if (outcome === 'failed') await this.#wait(this.#hasRun ? times.maxDelayMs : COLD_DELAY_MS);
    }
    return true;
  }

  async #connect(): Promise<C | undefined> {
    const { connect, signal } = this.#options;
    while (!signal.aborted) {
      const connecting = connect();
      try {
        const connected = await untilAborted(connecting, signal);
        if (!connected) break;
        this.#temporal.up();
        return connected.value;
      } catch (error) {
        if (knownError(error)?.isConfiguration === true) throw new WorkerMisconfigured(error);
        const fields = errorFields(error);
        this.#trouble('waiting_for_temporal', fields.error);
        this.#temporal.down({ reason: messageOf(error), ...fields });
        await this.#wait(COLD_DELAY_MS);
      }
    }
    return undefined;
  }

  async #runOne(connection: C): Promise<'drained' | 'failed'> {
    const { createWorker, signal, write, times, keys } = this.#options;
    let worker: SupervisedWorker;
    let failure: FailureDetails;
    try {
      const created = await untilAborted(createWorker(connection), signal);
      if (!created) return 'drained';
      worker = created.value;
      failure = watchFailure(worker, times.settleMs);
    } catch (error) {
      if (this.#isFinal(error)) throw new WorkerMisconfigured(error);
      // The worker has not handled a task yet, so the message contains no payload content.
      const fields = { reason: messageOf(error), ...errorFields(error) };
      this.#trouble('restarting', fields.error);
      if (this.#startFailure !== fields.reason)
        write({ level: 'ERROR', message: 'The worker could not start', fields });
      this.#startFailure = fields.reason;
      return 'failed';
    }
    this.#startFailure = undefined;
    const { shutdownForceTimeMs, shutdownGraceTimeMs } = worker.options;
    keys.drainSeconds = (shutdownForceTimeMs ?? shutdownGraceTimeMs) / 1_000;
    const probe = new PollProbe(connection, worker, this.#temporal, times.probe);
    await untilAborted(probe.prepare(), signal);
    if (signal.aborted) return 'drained';
    const probing = new AbortController();
    this.worker = worker;
    this.probe = probe;
    const started = performance.now();
    try {
      const running = this.#watch(worker, failure);
      void probe.run(probing.signal);
      await running;
      return 'drained';
    } catch (error) {
      if (error instanceof WorkerNotSettled) throw error;
      // A plugin has refused the worker, and would also refuse the next worker.
      if (error instanceof KmsConfigurationError && !this.#hasRun) throw new WorkerMisconfigured(error);
      const fields = errorFields(error);
      write({
        level: 'ERROR',
        message: signal.aborted ? 'The worker did not shut down in time' : 'The worker failed',
        fields: { ...fields },
      });
      if (!signal.aborted) {
        this.#trouble('restarting', fields.errorType ?? fields.error);
        this.restarts += 1;
      }
      return 'failed';
    } finally {
      probing.abort();
      this.#hasRun = true;
      if (performance.now() - started >= HEALTHY_MS) this.#backoff.reset();
      this.probe = undefined;
      this.worker = undefined;
    }
  }

  /**
   * Returns whether the failure to create a worker is final. If no worker has run before, a mistake in the
   * worker's options or workflow code is final, and only failures of Temporal may be temporary.
   */
  #isFinal(error: unknown): boolean {
    if (this.#hasRun) return false;
    if (isMissingNamespace(error)) return performance.now() - this.#started > this.#options.times.namespaceMs;
    return knownError(error)?.isConfiguration ?? !isFailureOfTemporal(error);
  }

  /**
   * Runs a worker until it ends. Shuts the worker down when the signal is aborted, or when keys do not last
   * long enough.
   * @throws WorkerNotSettled if the worker hangs; `cause` is the worker's failure
   */
  async #watch(worker: SupervisedWorker, failure: FailureDetails): Promise<void> {
    const { keys, signal, write, times } = this.#options;
    const ended = new AbortController();
    const running = worker.run().finally(() => ended.abort());
    running.catch(() => undefined);
    this.#setPhase('polling');
    this.trouble = undefined;
    while (!ended.signal.aborted) {
      const state = worker.getState();
      if (state === 'FAILED') {
        this.#setPhase('restarting');
        // The worker gets the time limit twice: once for the finalization, and once for the remaining steps.
        if (!(await settlesWithin(running, 2 * times.settleMs)))
          throw new WorkerNotSettled({ cause: failure.cause });
        break;
      }
      if (state === 'RUNNING' && signal.aborted) worker.shutdown();
      else if (state === 'RUNNING' && !keys.suffice) {
        const code = keys.refusal ?? 'data_key_exhausted';
        this.#trouble('draining', code);
        const message =
          keys.refusal === undefined
            ? 'Keys expire soon; polling stops until there are new keys'
            : 'Cloud KMS rejects the key in use; polling stops until it accepts a key';
        const fields = { code, autonomySeconds: Math.round(keys.autonomySeconds) };
        write({ level: 'WARN', message, fields });
        worker.shutdown();
      }
      await pause(CHECK_MS, ended.signal);
    }
    try {
      await running;
    } catch (error) {
      const cause = failure.cause ?? error;
      if (failure.isStuck) throw new WorkerNotSettled({ cause });
      await settlesWithin(failure.endThreads(), times.settleMs);
      throw cause;
    }
    // If Temporal is unavailable, the SDK cannot finalize a stopped worker. After a stop signal, this failure
    // is irrelevant, because the process ends in any case.
    if (failure.isStuck && !signal.aborted) throw new WorkerNotSettled();
  }

  /**
   * Closes the process's last connection, which ends Core and any failed worker that still polls inside Core.
   */
  async #closeConnection(connection: C): Promise<void> {
    const { write, times } = this.#options;
    const closing = connection.close();
    closing.catch((error: unknown) =>
      write({
        level: 'ERROR',
        message: 'The connection could not be closed',
        fields: { ...errorFields(error) },
      }),
    );
    const hasClosed = await settlesWithin(closing, times.settleMs);
    if (hasClosed && (await succeeded(closing))) return;
    throw new WorkerNotSettled();
  }

  async #wait(limitMs: number): Promise<void> {
    const { signal, write } = this.#options;
    const retryInMs = Math.round(this.#backoff.next(limitMs));
    write({ level: 'DEBUG', message: 'Waiting before the next attempt', fields: { retryInMs } });
    await pause(retryInMs, signal);
  }

  #setPhase(phase: WorkerPhase): void {
    if (!this.#options.signal.aborted) this.phase = phase;
  }

  #trouble(phase: WorkerPhase, reason: string): void {
    this.#setPhase(phase);
    this.trouble = reason;
  }
}

const succeeded = (promise: Promise<unknown>): Promise<boolean> =>
  promise.then(
    () => true,
    () => false,
  );

/**
 * Returns the message of a connection error or of a worker's startup error. The messages of other errors may
 * contain plaintext.
 */
