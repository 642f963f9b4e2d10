/** Where the emulator takes the time from: milliseconds since the epoch, as `Date.now()` gives them. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** A clock that runs on with the one under it and can be moved. Moves are not kept over a restart. */
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
