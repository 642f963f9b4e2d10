/** How often waiting time is counted. */
const TICK_MS = 20;

/** What one tick counts at most: a later one means that the process stood still, and nothing could be received. */
const MAX_TICK_MS = 100;

/** Timers that run in this process, ticked by one interval. */
const running = new Set<WaitTimer>();
let interval: NodeJS.Timeout | undefined;
/** On the clock of `performance.now()`. */
let lastTick = 0;
/** Milliseconds that were counted until the last tick. */
let counted = 0;

/** Milliseconds in which the event loop turned, since any fixed time. Advances only while a timer runs. */
const turningTime = (): number => counted + Math.min(performance.now() - lastTick, MAX_TICK_MS);

function tick(): void {
  counted = turningTime();
  lastTick = performance.now();
  // Timers come first in a turn of the event loop: what has arrived while it stood still is read before anybody gives up.
  setImmediate(() => {
    const now = turningTime();
    for (const timer of running) timer.check(now);
  });
}

/**
 * A time limit for an answer from outside that counts waiting only. While a synchronous task holds the event loop, or
 * the machine gives this process no time, no answer can be received: such a stall is not the other side's fault, and
 * does not count. Accurate to about 20 ms. Call `stop` when the answer is there.
 *
 * @example
 * const timer = new WaitTimer(3_000, () => request.abort());
 * try {
 *   await request.send();
 * } finally {
 *   timer.stop();
 * }
 */
export class WaitTimer {
  readonly #limitMs: number;
  readonly #expired: () => void;
  readonly #start: number;
  readonly #realStart = performance.now();

  /**
   * Starts at once.
   * @param limitMs milliseconds of waiting; without it the timer only measures
   * @param expired called once when the limit is reached
   */
  constructor(limitMs = Number.POSITIVE_INFINITY, expired: () => void = () => undefined) {
    this.#limitMs = limitMs;
    this.#expired = expired;
    if (running.size === 0) {
      lastTick = performance.now();
      interval = setInterval(tick, TICK_MS);
    }
    this.#start = turningTime();
    running.add(this);
  }

  /** Milliseconds of waiting that count. */
  get waitedMs(): number {
    return turningTime() - this.#start;
  }

  /** Milliseconds in which the event loop stood still. */
  get stalledMs(): number {
    return performance.now() - this.#realStart - this.waitedMs;
  }

  /** @internal Called at each tick. */
  check(now: number): void {
    if (now - this.#start < this.#limitMs) return;
    this.stop();
    this.#expired();
  }

  stop(): void {
    if (!running.delete(this) || running.size > 0) return;
    clearInterval(interval);
  }
}
