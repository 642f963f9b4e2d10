/** How often the waiting time is measured, in ms. */
const TICK_MS = 20;

/** Limit on what one tick counts. A later tick means that the process was stalled and could receive nothing. */
const MAX_TICK_MS = 100;

/** The timers that run in this process, with one interval for all. */
const running = new Set<WaitTimer>();
let interval: NodeJS.Timeout | undefined;
/** On the clock of `performance.now()`. */
let lastTick = 0;
/** Milliseconds counted until the last tick. */
let counted = 0;

/** Milliseconds during which the event loop ran, since any fixed time. Advances only while a timer runs. */
const runningTime = (): number => counted + Math.min(performance.now() - lastTick, MAX_TICK_MS);

function tick(): void {
  counted = runningTime();
  lastTick = performance.now();
  // The event loop runs timers before it reads sockets. After a stall, responses that have arrived are read first.
  setImmediate(() => {
    const now = runningTime();
    for (const timer of running) timer.check(now);
  });
}

/**
 * A time limit for a response that counts only time when this process can receive it. Time when a synchronous
 * task blocks the event loop, or the machine suspends the process, does not count. Accurate to about 20 ms. Call `stop`
 * when the response has arrived.
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
   * Starts the timer.
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
    this.#start = runningTime();
    running.add(this);
  }

  /** Milliseconds that count. */
  get waitedMs(): number {
    return runningTime() - this.#start;
  }

  /** How many milliseconds the event loop was stalled. */
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
