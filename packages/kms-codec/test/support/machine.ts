import type { Clocks } from '../../src/keys/clock.ts';

/**
 * Simulates the clocks of a machine with vitest's fake timers, and the events that can affect these clocks.
 */
export class Machine {
  #pausedMs = 0;
  #wallMs = 0;
  #runningMs = 0;
  readonly clocks: Clocks = {
    wall: () => Date.now() + this.#wallMs,
    running: () => performance.now() + this.#runningMs,
  };

  /** Real milliseconds since the machine's start, whatever its clocks show. */
  get time(): number {
    return performance.now() + this.#pausedMs;
  }

  /** Stops the process, as SIGSTOP does. */
  stop(ms: number): void {
    this.#runningMs += ms;
    this.suspend(ms);
  }

  /** Suspends the machine. */
  suspend(ms: number): void {
    this.#wallMs += ms;
    this.#pausedMs += ms;
  }

  setClock(ms: number): void {
    this.#wallMs += ms;
  }
}

/**
 * Returns a random number generator like `Math.random` that returns the same numbers for the same seed
 * (mulberry32).
 */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
