/** Writes text, whole lines of it, behind all that was written before; resolves when it has been taken. */
export type Append = (text: string) => Promise<void>;

export interface LineQueueOptions {
  /** How long a write may take. */
  readonly waitMs?: number;
  /** Characters that may wait behind it. */
  readonly maxWaiting?: number;
}

/** Lines that go in one write; they are written, or refused, together. */
interface Batch {
  text: string;
  readonly written: PromiseWithResolvers<void>;
}

/**
 * Lines one behind the other, those that come while a write is under way together in the next one. A line is written
 * or refused within the time limit: while a write hangs, or too much waits, the next is refused at once. What was
 * refused because a write hung is written all the same, should it go on.
 */
export class LineQueue {
  readonly #append: Append;
  readonly #waitMs: number;
  readonly #maxWaiting: number;
  #next: Batch | undefined;
  #busy = false;
  #hangs = false;

  constructor(append: Append, { waitMs = 1_000, maxWaiting = 2 ** 20 }: LineQueueOptions = {}) {
    this.#append = append;
    this.#waitMs = waitMs;
    this.#maxWaiting = maxWaiting;
  }

  /** @throws Error why the line isn't written, or isn't yet */
  write(text: string): Promise<void> {
    if (this.#hangs) return Promise.reject(new Error('an earlier write has not come back'));
    if ((this.#next?.text.length ?? 0) + text.length > this.#maxWaiting) {
      return Promise.reject(new Error('too much waits to be written'));
    }
    const batch = (this.#next ??= { text: '', written: Promise.withResolvers<void>() });
    batch.text += text;
    if (!this.#busy) void this.#drain();
    return batch.written.promise;
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    while (this.#next !== undefined) {
      const batch = this.#next;
      this.#next = undefined;
      const late = setTimeout(() => this.#hang(batch), this.#waitMs);
      try {
        await this.#append(batch.text);
        batch.written.resolve();
      } catch (error) {
        batch.written.reject(error);
      } finally {
        clearTimeout(late);
        this.#hangs = false;
      }
    }
    this.#busy = false;
  }

  #hang(writing: Batch): void {
    this.#hangs = true;
    const error = new Error(`a write has not come back within ${this.#waitMs} ms`);
    writing.written.reject(error);
    this.#next?.written.reject(error);
  }
}
