/** The levels of Temporal's `LogLevel`. */
export type LogLevel = 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';

/** One entry of a log, without anything that may contain plaintext. */
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

/** Cloud Logging's severity for each level of pino and of Temporal's SDK. */
const severities: Readonly<Record<string, string>> = {
  trace: 'DEBUG',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
};

/**
 * Options that give pino's lines the shape of all logs of this project, the fields of Cloud Logging's `LogEntry`:
 * `time`, `severity` and `message`, and then the entry's fields.
 * @see https://docs.cloud.google.com/logging/docs/structured-logging
 * @example
 * ```ts
 * const logger = createSafeLogger({ write: writeToLog(pino(pinoFormat)) });
 * ```
 */
export const pinoFormat = {
  base: null,
  messageKey: 'message',
  timestamp: (): string => `,"time":"${new Date().toISOString()}"`,
  formatters: {
    level: (label: string): { severity: string | undefined } => ({ severity: severities[label] }),
  },
} as const;

/** Writes an entry to standard error, as a line of JSON in the shape of {@link pinoFormat}. */
export function writeLine({ level, message, fields }: SafeLogEntry): void {
  const entry = { time: new Date().toISOString(), severity: severities[methods[level]], message, ...fields };
  process.stderr.write(`${JSON.stringify(entry)}\n`);
}

/**
 * Returns a function that writes entries through another log, such as pino.
 * @example
 * ```ts
 * const logger = createSafeLogger({ write: writeToLog(pino(pinoFormat)) });
 * ```
 */
export const writeToLog =
  (log: LogMethods): WriteLog =>
  ({ level, message, fields }) =>
    log[methods[level]](fields, message);
