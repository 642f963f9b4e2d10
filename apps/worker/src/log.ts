import type { WriteLog } from '@temporal-kms/kms-codec/run-worker';
import { createSafeLogger, safeRuntimeOptions } from '@temporal-kms/kms-codec/worker-logging';
import { Runtime, type Logger } from '@temporalio/worker';
import { pino, type DestinationStream, type Logger as Log } from 'pino';

/** Without `sync`, the last lines before `process.exit` may be written in another order. */
const standardOutput = () => pino.destination({ dest: 1, sync: true });

export const createLog = (level: string, destination?: DestinationStream): Log =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination ?? standardOutput());

const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Returns a function that writes the entries of the library's logs through `log`. */
export const writeTo =
  (log: Log): WriteLog =>
  ({ level, message, fields }) =>
    log[levels[level]](fields, message);

/**
 * Makes Temporal's SDK and Core log through `log` without payload content. The SDK does not handle the process's signals.
 *
 * @returns the SDK's logger
 */
export function installRuntime(log: Log): Logger {
  const logger = createSafeLogger({ level: 'TRACE', write: writeTo(log) });
  Runtime.install({ ...safeRuntimeOptions({ logger }), shutdownSignals: [] });
  return logger;
}
