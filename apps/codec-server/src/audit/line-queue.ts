import { WaitTimer } from '@temporal-kms/kms-codec';

/** Writes text, whole lines of it, behind all that was written before; resolves when it has been taken. */
export type Append = (text: string) => Promise<void>;

/** The same for whole lines, each with its line feed. */
export type AppendLines = (lines: readonly string[]) => Promise<void>;

export interface LineQueueOptions {
  /** How long a line may take to be written, behind others. A stall of this process does not count. */
  readonly waitMs?: number;
  /** Characters that may wait behind it. */
  readonly maxWaiting?: number;
  /** Told of each write that came back in full. */
  readonly written?: () => void;
  /** What is thrown for `lines` lines that aren't written, or aren't yet; default the reason itself. */
  readonly refusal?: (reason: unknown, lines: number) => unknown;
}

/** Lines that go in one write; they are written, or refused, together. */
interface Batch {
  readonly lines: string[];
  characters: number;
  /** How many were not refused yet. */
  waiting: number;
  /** Runs since its first line came. */
  readonly timer: WaitTimer;
  readonly settled: PromiseWithResolvers<void>;
}

/**
 * Lines one behind the other, those that come while a write is under way together in the next one. A line is written
 * or refused within the time limit: while a write hangs, or too much waits, the next is refused at once. What was
 * refused because a write hung is written all the same, should it go on.
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
      refusal: (reason) => reason,
      ...options,
    };
  }

  /** @throws what `refusal` makes of why the line isn't written, or isn't yet */
  write(text: string): Promise<void> {
    if (this.#hangs) return this.#refused('an earlier write has not come back');
    if ((this.#next?.characters ?? 0) + text.length > this.#options.maxWaiting) {
      return this.#refused('too much waits to be written');
    }
    const batch = (this.#next ??= {
      lines: [],
      characters: 0,
      waiting: 0,
      timer: new WaitTimer(this.#options.waitMs, () => this.#hang()),
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
        this.#refuse(batch, error);
      } finally {
        batch.timer.stop();
        this.#hangs = false;
      }
    }
    this.#writing = undefined;
  }

  /** The batch that is being written is the older one: where the next has waited too long, that has as well. */
  #hang(): void {
    this.#hangs = true;
    const error = new Error(`a line was not written within ${this.#options.waitMs} ms`);
    for (const batch of [this.#writing, this.#next]) if (batch !== undefined) this.#refuse(batch, error);
  }

  /** Once for each batch: one that hung may fail as well. */
  #refuse(batch: Batch, reason: unknown): void {
    if (batch.waiting > 0) batch.settled.reject(this.#options.refusal(reason, batch.waiting));
    batch.waiting = 0;
  }

  #refused(why: string): Promise<never> {
    return Promise.reject(this.#options.refusal(new Error(why), 1));
  }
}
