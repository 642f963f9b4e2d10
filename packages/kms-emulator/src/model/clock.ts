/** The source of the emulator's time: milliseconds since the epoch, as in `Date.now()`. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/**
 * A clock that follows a base clock and can be moved. After a restart, the clock shows the time of the base
 * clock again.
 */
export class MovableClock implements Clock {
  readonly #base: Clock;
  #offset = 0;

  constructor(base: Clock = systemClock) {
    this.#base = base;
  }

  now(): number {
    return this.#base.now() + this.#offset;
  }

  /** Moves the time by `milliseconds`; a negative number moves it back. */
  advance(milliseconds: number): void {
    this.#offset += milliseconds;
  }

  set(time: number): void {
    this.#offset = time - this.#base.now();
  }

  reset(): void {
    this.#offset = 0;
  }
}
