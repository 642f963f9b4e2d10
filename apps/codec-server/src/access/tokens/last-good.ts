export interface LastGoodOptions {
  /** Milliseconds for which a value is used as it is. */
  readonly freshMs: number;
  /** Milliseconds for which it is used while a newer one can't be had. */
  readonly usableMs: number;
  /** Milliseconds between two attempts. */
  readonly retryMs: number;
}

/**
 * A value that is loaded again and again, and used on for a bounded time while loading fails. One attempt at a time,
 * and one every `retryMs`, whoever asks however often.
 */
export class LastGood<T> {
  readonly #load: () => Promise<T>;
  readonly #options: LastGoodOptions;
  readonly #now: () => number;
  #value: { readonly value: T; readonly at: number } | undefined;
  #attempt: { readonly at: number; readonly result: Promise<T> } | undefined;
  #pending = false;

  constructor(load: () => Promise<T>, options: LastGoodOptions, now: () => number) {
    this.#load = load;
    this.#options = options;
    this.#now = now;
  }

  /** @throws what the last attempt threw, when there is no value that may still be used */
  async get(): Promise<T> {
    const { freshMs, usableMs } = this.#options;
    const last = this.#value;
    if (last && this.#now() - last.at < freshMs) return last.value;
    try {
      return await this.#try();
    } catch (error) {
      if (last && this.#now() - last.at < usableMs) return last.value;
      throw error;
    }
  }

  /**
   * Loads now, for a caller whom the value at hand doesn't serve.
   * @returns undefined where that was tried just before
   */
  async renewed(): Promise<T | undefined> {
    return this.#resting() ? undefined : this.#try();
  }

  #resting(): boolean {
    return (
      !this.#pending && this.#attempt !== undefined && this.#now() - this.#attempt.at < this.#options.retryMs
    );
  }

  /** The attempt under way, the last one where it was made just before, else a new one. */
  #try(): Promise<T> {
    if (this.#attempt && (this.#pending || this.#resting())) return this.#attempt.result;
    this.#pending = true;
    const result = this.#load()
      .then((value) => {
        this.#value = { value, at: this.#now() };
        return value;
      })
      .finally(() => {
        this.#pending = false;
      });
    this.#attempt = { at: this.#now(), result };
    return result;
  }
}
