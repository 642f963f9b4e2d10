/** Who waits for a call's answer. */
export interface Caller {
  /** Aborted when nobody needs the answer any more. Read only where Cloud KMS is waited for, so it may be a getter. */
  readonly signal?: AbortSignal | undefined;
}

/** How long one call waits for Cloud KMS, all its payloads together. */
export class Patience {
  readonly budgetMs: number;
  readonly #caller: Caller;
  // One listener a call: a signal looks through all that it has for each new one, and a call may have 10,000 payloads.
  readonly #waiting = new Set<() => void>();
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
    if (this.#waiting.size === 0) this.#caller.signal?.addEventListener('abort', this.#end);
    this.#waiting.add(giveUp);
    return () => {
      this.#waiting.delete(giveUp);
      if (this.#waiting.size === 0) this.#caller.signal?.removeEventListener('abort', this.#end);
    };
  }

  /** The call has failed. */
  fail(): void {
    this.#hasFailed = true;
    this.#end();
  }

  readonly #end = (): void => {
    for (const giveUp of this.#waiting) giveUp();
  };
}
