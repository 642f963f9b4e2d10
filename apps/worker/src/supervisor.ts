import { errorFields } from '@temporal-kms/kms-codec/worker-logging';
import type { NativeConnection, Worker } from '@temporalio/worker';
import { messageOf } from './errors.ts';
import type { Log } from './log.ts';
import { retryForever } from './retry.ts';
import type { WorkerStatus } from './health.ts';

/** After a worker that ran for this time, the supervisor starts the next one at once and resets the delays. */
const HEALTHY_MS = 60_000;

export interface SupervisorDeps {
  /** Opens a connection for each worker; see {@link superviseWorker}. */
  readonly connect: () => Promise<NativeConnection>;
  readonly createWorker: (connection: NativeConnection) => Promise<Worker>;
  /** Starts the graceful shutdown when it is aborted. */
  readonly signal: AbortSignal;
  readonly status: WorkerStatus;
  readonly log: Log;
  /** The delay before the first retry; later delays are longer. Default: 1 s. */
  readonly firstDelayMs?: number;
}

/**
 * Runs a worker until `signal` is aborted, and replaces a worker that fails. For example, a codec that throws while it
 * encodes a failure ends `Worker.run()`. Without a supervisor, the process would end and lose its cached data keys.
 *
 * A failed worker keeps polling inside Temporal's native Core, because the SDK finalizes it without a shutdown. It would
 * take tasks that no code handles, and its task queue would stay registered. Closing the last connection of the process
 * ends Core's runtime, and that worker too. So the process must have no other connection.
 *
 * @returns whether the shutdown was graceful: every running activity completed in time
 */
export async function superviseWorker(deps: SupervisorDeps): Promise<boolean> {
  const { signal, status, log, firstDelayMs } = deps;
  let graceful = true;
  const run = async () => {
    const connection = await deps.connect();
    let started: number | undefined;
    try {
      const worker = await deps.createWorker(connection);
      started = performance.now();
      await runWorker(worker, deps);
    } catch (error) {
      const fields = errorFields(error);
      if (signal.aborted) {
        graceful = false;
        log.error(fields, 'The worker did not shut down in time');
        return;
      }
      status.phase = 'restarting';
      status.trouble = fields.errorType ?? fields.error;
      if (started === undefined) {
        // The worker has handled no task yet, so the message contains no payload.
        log.error({ ...fields, reason: messageOf(error) }, 'The worker could not start');
        throw error;
      }
      status.restarts += 1;
      log.error(fields, 'The worker failed');
      if (performance.now() - started < HEALTHY_MS) throw error;
    } finally {
      await connection.close();
    }
  };
  while (!signal.aborted) {
    try {
      await retryForever(run, {
        signal,
        ...(firstDelayMs !== undefined && { firstDelayMs }),
        onFailure: (_error, retryInMs) => log.info({ retryInMs }, 'Starting another worker'),
      });
    } catch (error) {
      // After the signal, the error only reports the end of the wait.
      if (!signal.aborted) throw error;
    }
  }
  return graceful;
}

async function runWorker(worker: Worker, { signal, status }: SupervisorDeps): Promise<void> {
  const running = worker.run();
  const stop = () => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  else {
    status.phase = 'polling';
    delete status.trouble;
  }
  try {
    await running;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
