import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';

/**
 * Delays between attempts, which double from the first delay up to a limit. Half of each delay is random, so
 * that the attempts of a fleet are spread over time.
 */
export class Backoff {
  readonly #firstMs: number;
  #attempt = 0;

  constructor(firstMs: number) {
    this.#firstMs = firstMs;
  }

  /** Returns the next delay in milliseconds, at most `limitMs`. */
  next(limitMs: number): number {
    const full = Math.min(this.#firstMs * 2 ** this.#attempt, limitMs);
    this.#attempt += 1;
    return full / 2 + (full / 2) * Math.random();
  }

  reset(): void {
    this.#attempt = 0;
  }
}

/** Resolves after the delay, or as soon as the signal is aborted. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}

/** Waits for a promise until the signal is aborted. @returns undefined if the signal was aborted first */
export function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
): Promise<{ readonly value: T } | undefined> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => resolve(undefined);
    if (signal.aborted) aborted();
    signal.addEventListener('abort', aborted);
    promise
      .then((value) => resolve({ value }), reject)
      .finally(() => signal.removeEventListener('abort', aborted));
  });
}

/**
 * Waits for a promise for at most `limitMs`. The time in which the event loop is blocked does not count.
 * @returns whether the promise settled in time
 */
export function settlesWithin(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = new WaitTimer(limitMs, () => resolve(false));
    const settled = (): void => {
      timer.stop();
      resolve(true);
    };
    promise.then(settled, settled);
  });
}
