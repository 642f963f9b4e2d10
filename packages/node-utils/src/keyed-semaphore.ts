interface Slots {
  running: number;
  /** The callers that wait for a slot, first come, first served. */
  readonly waiting: Set<() => void>;
}

/**
 * A semaphore for each key: limits how many calls run at the same time for one key. Further calls wait in
 * order.
 */
export class KeyedSemaphore {
  readonly #limit: number;
  readonly #slots = new Map<string, Slots>();

  /** @param limit the maximum number of concurrent calls for each key */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Runs `call` as soon as one of the key's slots is free.
   * @param signal aborts the wait, so that the call is not made
   * @throws the signal's reason, or the error of `call`
   */
  async run<T>(key: string, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    const slots = this.#slots.get(key) ?? { running: 0, waiting: new Set() };
    this.#slots.set(key, slots);
    if (slots.running < this.#limit) slots.running += 1;
    else await waitForSlot(slots, signal);
    try {
      signal.throwIfAborted();
      return await call();
    } finally {
      const [next] = slots.waiting;
      if (next === undefined) slots.running -= 1;
      else passSlot(slots, next);
      if (slots.running === 0) this.#slots.delete(key);
    }
  }
}

function passSlot(slots: Slots, next: () => void): void {
  slots.waiting.delete(next);
  next();
}

async function waitForSlot({ waiting }: Slots, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const enter = (): void => {
      signal.removeEventListener('abort', leave);
      resolve();
    };
    const leave = (): void => {
      waiting.delete(enter);
      reject(signal.reason);
    };
    waiting.add(enter);
    signal.addEventListener('abort', leave, { once: true });
  });
}
