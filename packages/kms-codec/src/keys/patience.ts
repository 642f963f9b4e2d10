/** Who waits for a call's answer. */
export interface Caller {
  /** Aborted when nobody needs the answer any more. Read only where Cloud KMS is waited for, so it may be a getter. */
  readonly signal?: AbortSignal | undefined;
}

/** How long one call waits for Cloud KMS, all its payloads together. */
export class Patience {
  readonly budgetMs: number;
  readonly #caller: Caller;
  /** Made for the first that waits: most calls have their data key at hand. */
  #waiting: Waiting | undefined;
  #hasFailed = false;

  constructor(budgetMs: number, caller: Caller = {}) {
    this.budgetMs = budgetMs;
    this.#caller = caller;
  }

  /** What the call still waits for, nobody needs any more: it has failed, or its caller has left. */
  get isOver(): boolean {
    return this.#hasFailed || this.hasLeft;
  }

  get hasLeft(): boolean {
    return this.#caller.signal?.aborted === true;
  }

  /** Why the caller has left. */
  get reason(): unknown {
    return this.#caller.signal?.reason;
  }

  /**
   * @param giveUp called once it is over
   * @returns what ends the waiting
   */
  wait(giveUp: () => void): () => void {
    this.#waiting ??= new Waiting(this.#caller.signal);
    return this.#waiting.add(giveUp);
  }

  /** The call has failed. */
  fail(): void {
    this.#hasFailed = true;
    this.#waiting?.endAll();
  }
}

/** All that wait in one call, behind one listener: a signal looks through those that it has for each new one. */
class Waiting {
  readonly #signal: AbortSignal | undefined;
  readonly #all = new Set<() => void>();

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  add(giveUp: () => void): () => void {
    if (this.#all.size === 0) this.#signal?.addEventListener('abort', this.endAll);
    this.#all.add(giveUp);
    return () => {
      this.#all.delete(giveUp);
      if (this.#all.size === 0) this.#signal?.removeEventListener('abort', this.endAll);
    };
  }

  readonly endAll = (): void => {
    for (const giveUp of this.#all) giveUp();
  };
}
