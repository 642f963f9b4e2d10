import type { Writable } from 'node:stream';
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

const MINUTE_MS = 60_000;

/** Events of one kind that did not pass in one minute. */
interface Suppressed<T> {
  /** The first event of its kind in this minute. */
  readonly first: T;
  /** When the first event came, in milliseconds since 1970. */
  readonly since: number;
  readonly count: number;
}

export interface MinuteAggregatorOptions<T> {
  /** How many kinds are distinguished in a minute. */
  readonly kinds: number;
  /** Called when a minute ends, with the kinds of which at least one event did not pass. */
  readonly flushed: (suppressed: readonly Suppressed<T>[]) => void;
}

/**
 * Bounds what the server writes about events that unauthenticated clients can cause: the first events of each kind pass
 * at once, and further events of the same minute are counted and reported together. A minute begins with its first
 * event; a change of the system clock does not move its end.
 */
export class MinuteAggregator<T> {
  readonly #options: MinuteAggregatorOptions<T>;
  readonly #kinds = new Map<string, { first: T; since: number; passed: number; count: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MinuteAggregatorOptions<T>) {
    this.#options = options;
  }

  /** Whether another kind can be distinguished in this minute. */
  get hasRoom(): boolean {
    return this.#kinds.size < this.#options.kinds;
  }

  has(kind: string): boolean {
    return this.#kinds.has(kind);
  }

  /**
   * Returns whether the event passes. An event that does not pass is counted.
   * @param limit how many events of the kind pass in a minute
   */
  pass(kind: string, event: T, limit: number): boolean {
    const known = this.#of(kind, event);
    if (known.passed < limit) {
      known.passed += 1;
      return true;
    }
    known.count += 1;
    return false;
  }

  /** Counts events that do not pass. */
  count(kind: string, event: T, events: number): void {
    this.#of(kind, event).count += events;
  }

  /** Ends the minute now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ended = [...this.#kinds.values()];
    this.#kinds.clear();
    this.#options.flushed(ended.filter(({ count }) => count > 0));
  }

  #of(kind: string, first: T): { passed: number; count: number } {
    this.#timer ??= setTimeout(() => this.flush(), MINUTE_MS).unref();
    let known = this.#kinds.get(kind);
    if (known === undefined) {
      known = { first, since: Date.now(), passed: 0, count: 0 };
      this.#kinds.set(kind, known);
    }
    return known;
  }
}

export interface StandardOutput {
  /** For lines that must be written: resolves when the operating system has taken them. */
  readonly append: (text: string) => Promise<void>;
  /** For the log, which never blocks the server: while no reader takes the output, lines are counted and dropped. */
  readonly log: { write(line: string): void };
}

/** Most bytes of log that wait for a reader. */
const MAX_WAITING = 2 ** 20;
/** Log lines of this many characters are written at once. */
const CHUNK = 16 * 1024;

/**
 * Returns the only way to standard output: a pipe takes a long line in parts, and no other line may come between them.
 * Log lines of one turn of the event loop share one write, since each write is a system call.
 */
export function standardOutput(stream: Writable = process.stdout): StandardOutput {
  let dropped = 0;
  let lines = '';
  // A reader that disconnected must not end the process. `append` reports the error to its caller.
  stream.on('error', () => undefined);

  const flush = (): void => {
    if (lines !== '') stream.write(lines);
    lines = '';
  };
  // The last lines contain the reason for the end.
  process.once('exit', flush);

  return {
    append: (text) => {
      flush();
      return new Promise((resolve, reject) => {
        stream.write(text, (error) => (error ? reject(error) : resolve()));
      });
    },
    log: {
      write: (line) => {
        if (stream.writableLength > MAX_WAITING) {
          dropped += 1;
          return;
        }
        if (lines === '') setImmediate(flush);
        if (dropped > 0) {
          lines += `${JSON.stringify({ level: 40, time: Date.now(), dropped, msg: 'log lines dropped' })}\n`;
          dropped = 0;
        }
        lines += line;
        if (lines.length >= CHUNK) flush();
      },
    },
  };
}
