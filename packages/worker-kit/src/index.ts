export { KmsWorkerPlugin } from './worker-plugin.ts';
export { runWorker } from './run-worker.ts';
export { workerExitCodes } from './run-worker/supervise-process.ts';
export type { RunningWorker, RunWorkerOptions, WorkerReadiness } from './run-worker/supervise-process.ts';
export type { WorkerPhase } from './run-worker/supervisor.ts';
export type {
  DescribeTaskQueueRequest,
  DescribeTaskQueueResponse,
  Poller,
  SupervisedWorker,
  WorkerConnection,
} from './run-worker/temporal-types.ts';
export type { WorkerCodec } from './run-worker/worker-keys.ts';
export { testedSdkVersions } from './sdk-version.ts';
export type { LogLevel, SafeLogEntry, WriteLog } from '@temporal-kms/node-utils/log-entry';
