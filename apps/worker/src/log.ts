import { isIPv6 } from 'node:net';
import type { WorkerConfig } from '@temporal-kms/config';
import {
  createSafeLogger,
  pinoFormat,
  safeRuntimeOptions,
  withTraceContext,
  type WriteLog,
  writeToLog,
} from '@temporal-kms/worker-kit/logging';
import { Runtime, type Logger, type MetricsExporterConfig } from '@temporalio/worker';
import { pino, type DestinationStream, type Logger as Log } from 'pino';

/**
 * Returns a synchronous destination. An asynchronous destination could write the last lines before
 * `process.exit` in the wrong order.
 */
const standardOutput = () => pino.destination({ dest: 1, sync: true });

export const createLog = (level: string, destination?: DestinationStream): Log =>
  pino({ ...pinoFormat, level }, destination ?? standardOutput());

/** Returns a function that writes the library's log entries through `log`. */
export const writeTo = (log: Log): WriteLog => withTraceContext(writeToLog(log));

/**
 * Makes Temporal's SDK and Core export metrics, and log through `log` without payload content. Keeps the SDK
 * from handling the process's signals.
 *
 * @returns the SDK's logger
 */
export function installRuntime(log: Log, metrics?: WorkerConfig['metrics']): Logger {
  const logger = createSafeLogger({ level: 'TRACE', write: writeTo(log) });
  const options = safeRuntimeOptions({ logger });
  const telemetryOptions = {
    ...options.telemetryOptions,
    ...(metrics !== undefined && { metrics: exporterOf(metrics) }),
  };
  Runtime.install({ ...options, telemetryOptions, shutdownSignals: [] });
  return logger;
}

function exporterOf(metrics: NonNullable<WorkerConfig['metrics']>): MetricsExporterConfig {
  const useSecondsForDurations = true;
  if ('otlp' in metrics) {
    const { otlp: url } = metrics;
    return { otel: { url, http: new URL(url).pathname === '/v1/metrics', useSecondsForDurations } };
  }
  const bindAddress = `${isIPv6(metrics.host) ? `[${metrics.host}]` : metrics.host}:${metrics.port}`;
  return { prometheus: { bindAddress, countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations } };
}
