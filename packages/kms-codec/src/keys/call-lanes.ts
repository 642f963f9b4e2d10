interface Lane {
  running: number;
  readonly waiting: (() => void)[];
}

/** Cloud KMS calls, at most so many under way at the same time for one namespace; the others wait in their order. */
export class CallLanes {
  readonly #limit: number;
  readonly #lanes = new Map<string, Lane>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  async run<T>(namespace: string, call: () => Promise<T>): Promise<T> {
    const lane = this.#lanes.get(namespace) ?? { running: 0, waiting: [] };
    this.#lanes.set(namespace, lane);
    if (lane.running < this.#limit) lane.running += 1;
    // Whoever ends hands its place on.
    else await new Promise<void>((resolve) => lane.waiting.push(resolve));
    try {
      return await call();
    } finally {
      const next = lane.waiting.shift();
      if (next) next();
      else lane.running -= 1;
      if (lane.running === 0) this.#lanes.delete(namespace);
    }
  }
}
