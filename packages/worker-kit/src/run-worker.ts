import {
  type RunningWorker,
  type RunWorkerOptions,
  superviseProcess,
  supervisorTimes,
} from './run-worker/supervise-process.ts';
import type { WorkerConnection } from './run-worker/temporal-types.ts';
import { requireTestedSdk } from './sdk-version.ts';

/**
 * Runs a Temporal worker until the process receives a signal, even through outages of Cloud KMS and Temporal.
 * Then ends the process.
 *
 * - Before each `Worker.create`, waits for an encryption key, however long Cloud KMS or Temporal is
 *   unavailable. Stops polling before keys expire in an outage, and when keys are revoked, so that tasks stay
 *   with Temporal. Resumes polling when keys are available.
 * - Replaces a failed worker after 0.5 to 30 s. If the failed worker cannot be released, the process ends with
 *   `workerExitCodes.notSettled` (70).
 * - After a signal, activities have the worker's `shutdownGraceTime` and `shutdownForceTime` to complete. The
 *   process ends at most `stopMs` later, even if Cloud KMS, Temporal or an activity hangs. A second signal
 *   ends the process immediately.
 * - A stopping worker waits up to 1 s for its outstanding polls, so that it loses no task (ADR 15).
 *   `TEMPORAL_POLL_SHUTDOWN_INTERRUPT_WAIT_MS` changes this time. `shutdownForceTime` must be longer.
 * - `readiness()` reports measured values: when Temporal's server last received a poll, whether the server
 *   responds, and how long the keys last.
 *
 * A failed worker can keep polling inside the SDK's native Core until the process's last connection is
 * closed, so do not open another `NativeConnection` in the process.
 * @throws RangeError if `stopMs` is negative
 * @throws KmsConfigurationError if the version of Temporal's SDK is not in `testedSdkVersions`
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
