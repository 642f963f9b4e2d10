import {
  type RunningWorker,
  type RunWorkerOptions,
  superviseProcess,
  supervisorTimes,
} from './run-worker/supervise-process.ts';
import type { WorkerConnection } from './run-worker/temporal-types.ts';
import { requireTestedSdk } from './sdk-version.ts';

/**
 * Runs a Temporal worker until a signal, through outages of Cloud KMS and Temporal, and ends the process.
 *
 * - Before each `Worker.create`, it waits for a key that encrypts; Cloud KMS and Temporal may be unavailable for any time. When keys
 *   expire in an outage, or are revoked, polling stops before that, so that tasks stay with Temporal. It starts again when
 *   there are keys.
 * - A worker that fails is replaced, after 1 to 30 s. If it cannot be, the process ends with
 *   `workerExitCodes.notSettled` (70).
 * - After a signal, activities have the worker's `shutdownGraceTime` and `shutdownForceTime`. The process ends at the latest
 *   `stopMs` after these, whatever Cloud KMS, Temporal or an activity does. A second signal ends it at once.
 * - Before a worker stops, it waits up to 1 s for its outstanding polls, so it loses no task (ADR 15). Its
 *   `shutdownForceTime` must be longer. `TEMPORAL_POLL_SHUTDOWN_INTERRUPT_WAIT_MS` changes the time.
 * - `readiness()` reports what was measured: when Temporal's server last received a poll, whether it answers, and how long
 *   keys last.
 *
 * A failed worker may keep polling inside the SDK's native Core until the last connection of the process is closed.
 * Open no other `NativeConnection` in the process.
 * @throws RangeError when `stopMs` is negative
 * @throws KmsConfigurationError with a version of Temporal's SDK that is not in `testedSdkVersions`
 * @example
 * ```ts
 * const worker = runWorker({
 *   codec,
 *   namespace: 'default',
 *   connect: () => NativeConnection.connect({ address: 'localhost:7233' }),
 *   createWorker: (connection) =>
 *     Worker.create({ connection, plugins: [new KmsWorkerPlugin(codec)], taskQueue: 'orders', activities }),
 * });
 * ```
 */
export function runWorker<C extends WorkerConnection>(options: RunWorkerOptions<C>): RunningWorker {
  requireTestedSdk();
  return superviseProcess(options, supervisorTimes);
}
