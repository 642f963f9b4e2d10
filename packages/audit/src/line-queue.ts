import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';
import { codeOf, messageOf } from '@temporal-kms/node-utils/error-details';
import { type LogMethods, writeToLog } from '@temporal-kms/node-utils/log-entry';
import { OutageLog } from '@temporal-kms/node-utils/outage-log';
import type { EntrySink } from './audit.ts';
import { CODEC_SERVER, entryLine } from './lines.ts';

/** Appends text that consists of whole lines. Resolves once the operating system has taken the text. */
export type Append = (text: string) => Promise<void>;

/** Appends lines, each with its line feed. Resolves once the operating system has taken the lines. */
export type AppendLines = (lines: readonly string[]) => Promise<void>;

export interface LineQueueOptions {
  /**
   * How many milliseconds a line may take to be written, including the time in the queue. Stalls of this
   * process don't count.
   */
  readonly waitMs?: number;
  /** Maximum number of characters in the queue. */
  readonly maxWaiting?: number;
  /** Called after each successful write. */
  readonly written?: () => void;
  /** Returns the error that rejects unwritten lines. The default error is `reason`. */
  readonly failed?: (reason: unknown, lines: number) => unknown;
}

/** The lines of one write, which succeed or fail together. */
interface Batch {
  readonly lines: string[];
  characters: number;
  /** Number of lines that have been neither written nor rejected. */
  waiting: number;
  /** The time limit of the batch, which starts when the first line arrives. */
  readonly timer: WaitTimer;
  readonly settled: PromiseWithResolvers<void>;
}

/**
 * Writes lines in the order in which they arrive. Lines that arrive during a write share the next write. Each
 * line is written or rejected within the time limit. While a write hangs, or the queue is full, further lines
 * are rejected immediately. If a write completes after its time limit, its lines are in the file although
 * they were rejected.
 *
 * A general task queue does not fit, because each line has its own acknowledgement and deadline, but one
 * write takes many lines.
 */
export class LineQueue {
  readonly #append: AppendLines;
  readonly #options: Required<LineQueueOptions>;
  #next: Batch | undefined;
  #writing: Batch | undefined;
  #hangs = false;

  constructor(append: AppendLines, options: LineQueueOptions = {}) {
    this.#append = append;
    this.#options = {
      waitMs: 1_000,
      maxWaiting: 2 ** 20,
      written: () => undefined,
      failed: (reason) => reason,
      ...options,
    };
  }

  /** Resolves once the line is written. @throws the error that `failed` returns */
  write(text: string): Promise<void> {
    if (this.#hangs) return this.#reject('an earlier write has not completed');
    if ((this.#next?.characters ?? 0) + text.length > this.#options.maxWaiting) {
      return this.#reject('too many lines wait to be written');
    }
    const batch = (this.#next ??= {
      lines: [],
      characters: 0,
      waiting: 0,
      timer: new WaitTimer(this.#options.waitMs, () => this.#timeOut()),
      settled: Promise.withResolvers<void>(),
    });
    batch.lines.push(text);
    batch.characters += text.length;
    batch.waiting += 1;
    if (this.#writing === undefined) void this.#drain();
    return batch.settled.promise;
  }

  async #drain(): Promise<void> {
    while (this.#next !== undefined) {
      const batch = this.#next;
      this.#next = undefined;
      this.#writing = batch;
      try {
        await this.#append(batch.lines);
        this.#options.written();
        batch.settled.resolve();
      } catch (error) {
        this.#fail(batch, error);
      } finally {
        batch.timer.stop();
        this.#hangs = false;
      }
    }
    this.#writing = undefined;
  }

  /**
   * Rejects the batch in progress and the waiting batch if either has timed out: the batch in progress is the
   * older one, so it has timed out in both cases, and while its write hangs, the waiting batch cannot be
   * written.
   */
  #timeOut(): void {
    this.#hangs = true;
    const error = new Error(`a line was not written within ${this.#options.waitMs} ms`);
    for (const batch of [this.#writing, this.#next]) if (batch !== undefined) this.#fail(batch, error);
  }

  /** Settles a batch only once, because a write that has timed out may still fail later. */
  #fail(batch: Batch, reason: unknown): void {
    if (batch.waiting > 0) batch.settled.reject(this.#options.failed(reason, batch.waiting));
    batch.waiting = 0;
  }

  #reject(why: string): Promise<never> {
    return Promise.reject(this.#options.failed(new Error(why), 1));
  }
}

/** The destination of audit lines. A line counts as written once the sink's promise for it has resolved. */
export interface AuditSink extends EntrySink {
  /** Writes a line that is not an audit entry. @throws the error that `unavailable` returns, like `write` */
  writeLine(line: string): Promise<void>;
}

export interface AuditSinkOptions extends Pick<LineQueueOptions, 'waitMs' | 'maxWaiting'> {
  readonly log: LogMethods;
  /** Called for each line that was not written. */
  readonly failed?: () => void;
  /** Returns the error for an operation whose line was not written. */
  readonly unavailable: (cause: unknown) => Error;
  /** The program's name in Cloud Logging. The default is the name of the codec server. */
  readonly producer?: string | undefined;
}

/**
 * Returns a sink that queues lines, logs outages, and throws the error from `unavailable` if a line is not
 * written.
 */
export function auditSink(
  append: AppendLines,
  { log, failed, unavailable, producer = CODEC_SERVER, ...limits }: AuditSinkOptions,
): AuditSink {
  const outage = new OutageLog(writeToLog(log), {
    down: 'audit cannot be written',
    up: 'audit can be written again',
    level: 'ERROR',
  });
  const lines = new LineQueue(append, {
    ...limits,
    written: () => outage.up(),
    failed: (error, count) => {
      for (let n = 0; n < count; n += 1) failed?.();
      outage.down({ reason: codeOf(error) ?? messageOf(error) });
      return unavailable(error);
    },
  });
  return {
    write: (entry) => lines.write(entryLine(entry, producer)),
    writeLine: (line) => lines.write(line),
  };
}
