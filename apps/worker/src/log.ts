import type { Observer } from '@temporal-kms/kms-codec';
import { createSafeLogger, safeRuntimeOptions } from '@temporal-kms/kms-codec/worker-logging';
import { Runtime, type Logger } from '@temporalio/worker';
import { pino, type DestinationStream, type Logger as Log } from 'pino';

export type { Log };

export const createLog = (level: string, destination?: DestinationStream): Log =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination ?? pino.destination(1));

const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Makes Temporal's SDK and Core log through `log` without payload content. The SDK does not handle the process's signals.
 *
 * @returns the SDK's logger
 */
export function installRuntime(log: Log): Logger {
  const logger = createSafeLogger({
    level: 'TRACE',
    write: ({ level, message, fields }) => log[levels[level]](fields, message),
  });
  Runtime.install({ ...safeRuntimeOptions({ logger }), shutdownSignals: [] });
  return logger;
}

/** Logs the codec's events that matter to an operator. No event contains plaintext or key bytes. */
export const logObserver = (log: Log): Observer => ({
  kmsRetry: (event) => log.warn(event, 'Cloud KMS call failed; retrying'),
  refused: (event) => log.warn(event, 'Payload rejected'),
  failureReplaced: (event) => log.error(event, 'Failure stored without its message and details'),
  dataKeyRotated: (event) => log.info(event, 'New data key in use'),
  dataKeyRefreshFailed: (event) =>
    log.warn(event, 'Data key refresh failed; the current data key stays in use'),
  branchKeyStoreFailed: (event) =>
    log.warn(event, 'Branch key store failed; this process continues with its own branch keys'),
  branchKeyStoreRecovered: (event) => log.info(event, 'Branch key store works again'),
});
