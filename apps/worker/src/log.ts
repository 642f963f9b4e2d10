import { createSafeLogger, safeRuntimeOptions } from '@temporal-kms/kms-codec/worker-logging';
import { Runtime, type Logger } from '@temporalio/worker';
import { pino, type DestinationStream, type Logger as Log } from 'pino';

export type { Log };

export const createLog = (level: string, destination?: DestinationStream): Log =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination ?? pino.destination(1));

const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Makes Temporal's SDK, Core included, log through `log` without payload content, and leaves the process's signals to
 * us. Returns the SDK's logger.
 */
export function installRuntime(log: Log): Logger {
  const logger = createSafeLogger({
    level: 'TRACE',
    write: ({ level, message, fields }) => log[levels[level]](fields, message),
  });
  Runtime.install({ ...safeRuntimeOptions({ logger }), shutdownSignals: [] });
  return logger;
}
