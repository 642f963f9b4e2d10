import type { SafeLogEntry, WriteLog } from './log-entry.ts';

/**
 * Minimum time between the first entries about two outages. This interval prevents an intermittent fault from
 * filling the log.
 */
const INTERVAL_MS = 60_000;

/** The messages of an `OutageLog`. */
export interface OutageMessages {
  readonly down: string;
  readonly up: string;
  /** Level of the message `down`. Default `WARN`. */
  readonly level?: 'WARN' | 'ERROR';
}

/**
 * Logs one entry when a service becomes unavailable and one entry when it is available again, instead of one
 * entry for each failure.
 */
export class OutageLog {
  readonly #write: WriteLog;
  readonly #messages: OutageMessages;
  readonly #now: () => number;
  #since: number | undefined;
  #isLogged = false;
  #lastLine = Number.NEGATIVE_INFINITY;
  #failures = 0;

  /** @param now returns a monotonic clock's time in ms; default `performance.now` */
  constructor(write: WriteLog, messages: OutageMessages, now: () => number = () => performance.now()) {
    this.#write = write;
    this.#messages = messages;
    this.#now = now;
  }

  get isDown(): boolean {
    return this.#since !== undefined;
  }

  /**
   * Reports a failure. Logs the failure, unless the current outage was already logged or a failure was logged
   * less than a minute ago.
   * @param fields the fields of the entry; must not contain data from a payload or a caller
   */
  down(fields: SafeLogEntry['fields']): void {
    const now = this.#now();
    this.#since ??= now;
    this.#failures += 1;
    if (this.#isLogged || now - this.#lastLine < INTERVAL_MS) return;
    this.#isLogged = true;
    this.#lastLine = now;
    this.#write({ level: this.#messages.level ?? 'WARN', message: this.#messages.down, fields });
  }

  /**
   * Reports a success. Logs the outage's duration in seconds and the number of failures, if this success ends
   * an outage that was logged.
   */
  up(fields: SafeLogEntry['fields'] = {}): void {
    if (this.#since === undefined) return;
    const seconds = Math.round((this.#now() - this.#since) / 1_000);
    if (this.#isLogged) {
      const ended = { ...fields, seconds, failures: this.#failures };
      this.#write({ level: 'INFO', message: this.#messages.up, fields: ended });
    }
    this.#since = undefined;
    this.#isLogged = false;
    this.#failures = 0;
  }
}

/**
 * Returns a function that returns the `OutageLog` for a name. The names must come from a small, fixed set.
 */
export function outageLogs(write: WriteLog, messages: OutageMessages): (name: string) => OutageLog {
  const known = new Map<string, OutageLog>();
  return (name) => {
    let outage = known.get(name);
    if (outage === undefined) known.set(name, (outage = new OutageLog(write, messages)));
    return outage;
  };
}
