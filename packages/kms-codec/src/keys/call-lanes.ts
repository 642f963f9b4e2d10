interface Lane {
  running: number;
  /** In their order. */
  readonly waiting: Set<() => void>;
}

/** Cloud KMS calls, at most so many under way at the same time for one namespace; the others wait in their order. */
export class CallLanes {
  readonly #limit: number;
  readonly #lanes = new Map<string, Lane>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @param unwanted aborted when nobody needs the call any more: one that waits is not made */
  async run<T>(namespace: string, unwanted: AbortSignal, call: () => Promise<T>): Promise<T> {
    const lane = this.#lanes.get(namespace) ?? { running: 0, waiting: new Set() };
    this.#lanes.set(namespace, lane);
    if (lane.running < this.#limit) lane.running += 1;
    else await turnIn(lane, unwanted);
    try {
      unwanted.throwIfAborted();
      return await call();
    } finally {
      const [next] = lane.waiting;
      if (next === undefined) lane.running -= 1;
      // Whoever ends hands its place on.
      else handOn(lane, next);
      if (lane.running === 0) this.#lanes.delete(namespace);
    }
  }
}

function handOn(lane: Lane, next: () => void): void {
  lane.waiting.delete(next);
  next();
}

async function turnIn({ waiting }: Lane, unwanted: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const leave = (): void => {
    if (waiting.delete(resolve)) reject(unwanted.reason);
  };
  waiting.add(resolve);
  unwanted.addEventListener('abort', leave, { once: true });
  try {
    unwanted.throwIfAborted();
    await promise;
  } finally {
    waiting.delete(resolve);
    unwanted.removeEventListener('abort', leave);
  }
}
