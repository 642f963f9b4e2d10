import type { LogLevel } from '@temporalio/common';

/** One entry of a worker's log, without anything that may contain plaintext. */
export interface SafeLogEntry {
  readonly level: LogLevel;
  readonly message: string;
  /** Ids, types, codes and numbers. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Receives the entries of a log, as in `createSafeLogger({ write })`. */
export type WriteLog = (entry: SafeLogEntry) => void;

/** The methods of a log that `writeToLog` calls. A log of pino has them. */
export type LogMethods = Readonly<
  Record<Lowercase<LogLevel>, (fields: Readonly<Record<string, unknown>>, message: string) => void>
>;

const methods = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Returns a function that writes entries through another log, such as pino.
 * @example
 * ```ts
 * const logger = createSafeLogger({ write: writeToLog(pino()) });
 * ```
 */
export const writeToLog =
  (log: LogMethods): WriteLog =>
  ({ level, message, fields }) =>
    log[methods[level]](fields, message);
