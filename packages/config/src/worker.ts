import { kmsEnvironment, type KmsSettings } from '@temporal-kms/kms-codec';
import { z } from 'zod';
import type { Environment } from './environment.ts';
import { host, logLevel, port, seconds } from './fields.ts';
import { kmsVariables, logVariables, temporalVariables } from './shared-variables.ts';

export interface WorkerConfig {
  readonly taskQueue: string;
  /** Address of `/healthz` and `/readyz`. */
  readonly health: { readonly host: string; readonly port: number };
  /** How long running activities may continue after a shutdown request, before they are cancelled. */
  readonly shutdownGraceSeconds: number;
  readonly logLevel: z.infer<typeof logLevel>;
  readonly kms: KmsSettings;
}

const settings = z
  .object({
    TEMPORAL_TASK_QUEUE: z.string(),
    WORKER_HEALTH_HOST: host,
    WORKER_HEALTH_PORT: port,
    WORKER_SHUTDOWN_GRACE_SECONDS: seconds,
    LOG_LEVEL: logLevel,
  })
  .transform((values) => ({
    taskQueue: values.TEMPORAL_TASK_QUEUE,
    health: { host: values.WORKER_HEALTH_HOST, port: values.WORKER_HEALTH_PORT },
    shutdownGraceSeconds: values.WORKER_SHUTDOWN_GRACE_SECONDS,
    logLevel: values.LOG_LEVEL,
  }));

/** The environment of the worker app. */
export const workerEnvironment: Environment<WorkerConfig> = {
  variables: {
    ...temporalVariables,
    TEMPORAL_TASK_QUEUE: { about: 'Task queue to poll', example: 'payments', default: 'kms-sample' },
    WORKER_HEALTH_HOST: {
      about: 'Address of the health endpoints',
      example: '0.0.0.0',
      default: '127.0.0.1',
    },
    WORKER_HEALTH_PORT: { about: 'Port of the health endpoints', example: '8089', default: '8089' },
    WORKER_SHUTDOWN_GRACE_SECONDS: {
      about: 'Seconds that activities may continue after a shutdown request, before they are cancelled',
      example: '20',
      default: '10',
    },
    ...kmsVariables,
    ...logVariables,
  },
  schema: z.intersection(
    settings,
    kmsEnvironment.transform((kms) => ({ kms })),
  ),
};
