import type { SafeLogEntry, WriteLog } from './log-entry.ts';

/** After an outage, another is logged only when this time has passed since the last line, so that flapping is one line. */
const INTERVAL_MS = 60_000;

/** The messages of an `OutageLog`. */
export interface OutageMessages {
  readonly down: string;
  readonly up: string;
  /** Level of `down`; default `WARN`. */
  readonly level?: 'WARN' | 'ERROR';
}

/** Logs one line when something becomes unavailable, and one when it is available again, instead of one for each failure. */
export class OutageLog {
  readonly #write: WriteLog;
  readonly #messages: OutageMessages;
  readonly #now: () => number;
  #since: number | undefined;
  #isLogged = false;
  #lastLine = Number.NEGATIVE_INFINITY;
  #failures = 0;

  /** @param now milliseconds of a monotonic clock; default `performance.now` */
  constructor(write: WriteLog, messages: OutageMessages, now: () => number = () => performance.now()) {
    this.#write = write;
    this.#messages = messages;
    this.#now = now;
  }

  get isDown(): boolean {
    return this.#since !== undefined;
  }

  /**
   * Reports a failure. It is logged unless an outage in progress was logged or the last line is less than a minute old.
   * @param fields of the line; nothing that comes from a payload or from a caller
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

  /** Reports a success. It is logged if it ends an outage that was logged, with its seconds and the number of failures. */
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

/** Returns a function that gives each name an `OutageLog`. The names must come from a small, closed set. */
export function outageLogs(write: WriteLog, messages: OutageMessages): (name: string) => OutageLog {
  const known = new Map<string, OutageLog>();
  return (name) => {
    let outage = known.get(name);
    if (outage === undefined) known.set(name, (outage = new OutageLog(write, messages)));
    return outage;
  };
}
