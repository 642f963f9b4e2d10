/** Interval at which the waiting time is measured, in ms. */
const TICK_MS = 20;

/**
 * Maximum time that is counted for one tick, in ms. If a tick comes later, the process was stalled and could
 * not receive any data.
 */
const MAX_TICK_MS = 100;

/** The running timers of this process, which share one interval. */
const running = new Set<WaitTimer>();
let interval: NodeJS.Timeout | undefined;
/** Time of the last tick, as `performance.now()` returned it. */
let lastTick = 0;
/** Number of milliseconds that were counted up to the last tick. */
let counted = 0;

/**
 * Returns how many milliseconds the event loop has run since an arbitrary time. The result advances only
 * while a timer is running.
 * @param now the time, as `performance.now()` returned it
 */
const runningTime = (now: number): number => counted + Math.min(now - lastTick, MAX_TICK_MS);

function tick(): void {
  const now = performance.now();
  counted = runningTime(now);
  lastTick = now;
  // The event loop runs timers before it reads sockets. The limits are therefore checked after the sockets
  // are read, so that responses that arrived during a stall are read first.
  setImmediate(() => {
    const time = runningTime(performance.now());
    for (const timer of running) timer.check(time);
  });
}

/**
 * A time limit for a response. The timer counts only the time in which this process could receive the
 * response. It does not count stalls, when synchronous code blocks the event loop or the process is
 * suspended. The measured time is accurate to about 20 ms. Call `stop` when the response has arrived.
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
  readonly #realStart: number;

  /**
   * Starts the timer.
   * @param limitMs limit on the waiting time, in ms; if absent, the timer only measures the time
   * @param expired called once, when the limit is reached
   */
  constructor(limitMs = Number.POSITIVE_INFINITY, expired: () => void = () => undefined) {
    this.#limitMs = limitMs;
    this.#expired = expired;
    if (running.size === 0) {
      interval = setInterval(tick, TICK_MS);
      lastTick = performance.now();
    }
    // The time is taken only after the interval has started; otherwise, starting it could count as a stall.
    this.#realStart = performance.now();
    this.#start = runningTime(this.#realStart);
    running.add(this);
  }

  /** Waiting time in milliseconds, without stalls. */
  get waitedMs(): number {
    return runningTime(performance.now()) - this.#start;
  }

  /** Time in milliseconds in which the event loop was stalled. */
  get stalledMs(): number {
    const now = performance.now();
    return now - this.#realStart - (runningTime(now) - this.#start);
  }

  /** @internal Called at each tick. */
  check(time: number): void {
    if (time - this.#start < this.#limitMs) return;
    this.stop();
    this.#expired();
  }

  stop(): void {
    if (!running.delete(this) || running.size > 0) return;
    clearInterval(interval);
  }
}
