import { errorFields } from '@temporal-kms/kms-codec/worker-logging';
import type { NativeConnection, Worker } from '@temporalio/worker';
import { messageOf } from './errors.ts';
import type { Log } from './log.ts';
import { untilItWorks } from './retry.ts';
import type { WorkerStatus } from './status.ts';

/** A worker that lived as long as this before it died is replaced at once, and the delays begin anew. */
const HEALTHY_MS = 60_000;

export interface SupervisorDeps {
  /** Each worker gets a connection of its own; see {@link superviseWorker}. */
  readonly connect: () => Promise<NativeConnection>;
  readonly createWorker: (connection: NativeConnection) => Promise<Worker>;
  /** Aborted: the worker is shut down gracefully. */
  readonly signal: AbortSignal;
  readonly status: WorkerStatus;
  readonly log: Log;
  /** Before the first new attempt; later ones wait longer. 1 s unless told. */
  readonly firstDelayMs?: number;
}

/**
 * Runs a worker until `signal` is aborted, and another whenever one dies: a codec that throws while it encodes a
 * failure ends `Worker.run()`, and with it would end the process and the data keys that it holds.
 *
 * A worker that died goes on polling inside Temporal's native Core: the SDK finalizes it without having shut it down,
 * so that it takes tasks which nobody works on, and keeps its task queue registered. Closing the process's last
 * connection ends Core's whole runtime and that worker with it. There must be no other connection in the process.
 *
 * @returns whether the shutdown was graceful: every running activity ended in time.
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
        // Nothing has been worked on yet, so the message holds no payload.
        log.error({ ...fields, reason: messageOf(error) }, 'The worker could not start');
        throw error;
      }
      status.restarts += 1;
      log.error(fields, 'The worker died');
      if (performance.now() - started < HEALTHY_MS) throw error;
    } finally {
      await connection.close();
    }
  };
  while (!signal.aborted) {
    try {
      await untilItWorks(run, {
        signal,
        ...(firstDelayMs !== undefined && { firstDelayMs }),
        onFailure: (_error, retryInMs) => log.info({ retryInMs }, 'Starting another worker'),
      });
    } catch (error) {
      // Whatever is thrown after the signal says only that the waiting is over.
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
