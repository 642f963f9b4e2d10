import { kmsEnvironment, type KmsSettings } from '@temporal-kms/kms-codec';
import { z } from 'zod';
import type { Environment } from './environment.ts';
import { host, logLevel, port, seconds } from './fields.ts';
import { kmsVariables, logVariables, temporalVariables } from './shared-variables.ts';

export interface WorkerConfig {
  readonly taskQueue: string;
  /** Path of the module with the workflows and activities. If absent, the worker runs the samples. */
  readonly code?: string;
  /** The address at which the worker serves `/healthz` and `/readyz`. */
  readonly health: { readonly host: string; readonly port: number };
  /**
   * How metrics are exported: at an endpoint that Prometheus scrapes, or to an OpenTelemetry collector. If
   * absent, the worker exports no metrics.
   */
  readonly metrics?: { readonly host: string; readonly port: number } | { readonly otlp: string };
  /** How long running activities may continue after a shutdown request, before they are cancelled. */
  readonly shutdownGraceSeconds: number;
  readonly logLevel: z.infer<typeof logLevel>;
  readonly kms: KmsSettings;
}

const settings = z
  .object({
    TEMPORAL_TASK_QUEUE: z.string(),
    WORKER_CODE: z.string().optional(),
    WORKER_HEALTH_HOST: host,
    WORKER_HEALTH_PORT: port,
    WORKER_METRICS_HOST: host,
    WORKER_METRICS_PORT: port.optional(),
    WORKER_OTLP_ENDPOINT: z
      .url({ protocol: /^https?$/, error: 'must be a URL with http or https' })
      .optional(),
    WORKER_SHUTDOWN_GRACE_SECONDS: seconds,
    LOG_LEVEL: logLevel,
  })
  .refine((values) => values.WORKER_METRICS_PORT === undefined || values.WORKER_OTLP_ENDPOINT === undefined, {
    path: ['WORKER_OTLP_ENDPOINT'],
    error: 'and WORKER_METRICS_PORT are both set; Temporal exports metrics to only one of them',
  })
  .transform((values) => ({
    taskQueue: values.TEMPORAL_TASK_QUEUE,
    ...(values.WORKER_CODE !== undefined && { code: values.WORKER_CODE }),
    health: { host: values.WORKER_HEALTH_HOST, port: values.WORKER_HEALTH_PORT },
    ...(values.WORKER_METRICS_PORT !== undefined && {
      metrics: { host: values.WORKER_METRICS_HOST, port: values.WORKER_METRICS_PORT },
    }),
    ...(values.WORKER_OTLP_ENDPOINT !== undefined && { metrics: { otlp: values.WORKER_OTLP_ENDPOINT } }),
    shutdownGraceSeconds: values.WORKER_SHUTDOWN_GRACE_SECONDS,
    logLevel: values.LOG_LEVEL,
  }));

/** The environment of the worker app. */
export const workerEnvironment: Environment<WorkerConfig> = {
  prefixes: ['WORKER_'],
  variables: {
    ...temporalVariables,
    TEMPORAL_TASK_QUEUE: { about: 'Task queue to poll', example: 'payments', default: 'kms-sample' },
    WORKER_CODE: {
      about: 'ES module with your workflows and activities; unset: the worker runs the samples',
      example: '/app/code/main.mjs',
    },
    WORKER_HEALTH_HOST: {
      about: 'Address of the health endpoints',
      example: '0.0.0.0',
      default: '127.0.0.1',
    },
    WORKER_HEALTH_PORT: { about: 'Port of the health endpoints', example: '8089', default: '8089' },
    WORKER_METRICS_HOST: { about: 'Address of the metrics', example: '0.0.0.0', default: '127.0.0.1' },
    WORKER_METRICS_PORT: {
      about: 'Port for metrics (Prometheus text), without sign-in; unset: no metrics',
      example: '9465',
    },
    WORKER_OTLP_ENDPOINT: {
      about: 'OpenTelemetry collector for metrics (OTLP over gRPC; over HTTP if the path is /v1/metrics)',
      example: 'http://localhost:4317',
    },
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
