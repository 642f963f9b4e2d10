import { escapeInvisible } from '@temporal-kms/codec-api';
import { type DestinationStream, type Logger, pino } from 'pino';

/** Cloud Logging's severity for each level: https://docs.cloud.google.com/logging/docs/structured-logging */
const severities: Readonly<Record<string, string>> = {
  trace: 'DEBUG',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
};

/**
 * Returns a logger that writes lines of JSON with pino's `level` and Cloud Logging's `severity`. It escapes invisible
 * characters, so that no text in a line can pass for another text.
 */
export const createLog = (level: string, output: DestinationStream): Logger =>
  pino(
    {
      level,
      base: null,
      formatters: { level: (label, number) => ({ severity: severities[label], level: number }) },
    },
    { write: (line) => output.write(`${escapeInvisible(line.trimEnd())}\n`) },
  );

/** A fault that comes and goes with every call, such as an exceeded quota, is logged at most this often. */
const INTERVAL_MS = 60_000;

interface OutageMessages {
  readonly down: string;
  readonly up: string;
  /** Level of `down`; default `warn`. */
  readonly level?: 'warn' | 'error';
}

/** Logs when a dependency becomes unavailable and when it is available again, instead of once for each failed request. */
export class OutageLog {
  readonly #log: Logger;
  readonly #messages: OutageMessages;
  #isDown = false;
  #lastDown = Number.NEGATIVE_INFINITY;

  constructor(log: Logger, messages: OutageMessages) {
    this.#log = log;
    this.#messages = messages;
  }

  /**
   * Reports a failure. It is logged unless an outage is in progress or the last outage began less than a minute ago.
   * @param fields fields of the log line; nothing that comes from a caller
   * @param now milliseconds of a monotonic clock
   */
  down(fields: Readonly<Record<string, unknown>>, now = performance.now()): void {
    if (this.#isDown || now - this.#lastDown < INTERVAL_MS) return;
    this.#isDown = true;
    this.#lastDown = now;
    this.#log[this.#messages.level ?? 'warn'](fields, this.#messages.down);
  }

  /** Reports a success. It is logged if it ends an outage that was logged. */
  up(fields: Readonly<Record<string, unknown>> = {}): void {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.#log.info(fields, this.#messages.up);
  }
}

/** Returns a function that gives each name its own `OutageLog`. The names must come from a small, closed set. */
export function outageLogs(log: Logger, messages: OutageMessages): (name: string) => OutageLog {
  const known = new Map<string, OutageLog>();
  return (name) => {
    let outage = known.get(name);
    if (outage === undefined) known.set(name, (outage = new OutageLog(log, messages)));
    return outage;
  };
}
