/** The levels of Temporal's `LogLevel`. */
export type LogLevel = 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';

/** A log entry that contains no plaintext. */
export interface SafeLogEntry {
  readonly level: LogLevel;
  readonly message: string;
  /** The fields of the entry, which contain only ids, types, codes and numbers. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Receives the entries of a log, as in `createSafeLogger({ write })`. */
export type WriteLog = (entry: SafeLogEntry) => void;

/** The methods that `writeToLog` calls. A pino logger has these methods. */
export type LogMethods = Readonly<
  Record<Lowercase<LogLevel>, (fields: Readonly<Record<string, unknown>>, message: string) => void>
>;

const methods = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Cloud Logging's severity for each level of pino and Temporal's SDK. */
const severities: Readonly<Record<string, string>> = {
  trace: 'DEBUG',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
};

/**
 * Options that give pino's lines the same format as this project's other logs. The format has the fields of
 * Cloud Logging's `LogEntry`: `time`, `severity` and `message`, followed by the entry's own fields.
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

/** Writes an entry to standard error, as a line of JSON in the format of {@link pinoFormat}. */
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
