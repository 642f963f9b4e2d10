/** Writes text, whole lines of it, behind all that was written before; resolves when it has been taken. */
export type Append = (text: string) => Promise<void>;

export interface LineQueueOptions {
  /** How long a write may take. */
  readonly waitMs?: number;
  /** Characters that may wait behind it. */
  readonly maxWaiting?: number;
}

interface Line {
  readonly text: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
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
  #lines: Line[] = [];
  #waiting = 0;
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
    if (this.#waiting + text.length > this.#maxWaiting) {
      return Promise.reject(new Error('too much waits to be written'));
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#lines.push({ text, resolve, reject });
    this.#waiting += text.length;
    if (!this.#busy) void this.#drain();
    return promise;
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    while (this.#lines.length > 0) {
      const lines = this.#lines;
      this.#lines = [];
      this.#waiting = 0;
      const late = setTimeout(() => this.#hang(lines), this.#waitMs);
      try {
        await this.#append(lines.map(({ text }) => text).join(''));
        for (const { resolve } of lines) resolve();
      } catch (error) {
        for (const { reject } of lines) reject(error);
      } finally {
        clearTimeout(late);
        this.#hangs = false;
      }
    }
    this.#busy = false;
  }

  #hang(written: readonly Line[]): void {
    this.#hangs = true;
    for (const { reject } of [...written, ...this.#lines]) {
      reject(new Error(`a write has not come back within ${this.#waitMs} ms`));
    }
  }
}
