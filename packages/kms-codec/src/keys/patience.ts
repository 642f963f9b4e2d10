/** How long one call waits for Cloud KMS, all its payloads together. */
export class Patience {
  readonly budgetMs: number;
  // Not an AbortSignal: those look through all their listeners for each new one, and a call may have 10,000 payloads.
  readonly #waiting = new Set<() => void>();
  #isOver = false;

  constructor(budgetMs: number) {
    this.budgetMs = budgetMs;
  }

  /** The call has failed: what it still waits for, nobody needs any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * @param giveUp called once it is over
   * @returns what ends the waiting
   */
  wait(giveUp: () => void): () => void {
    this.#waiting.add(giveUp);
    return () => this.#waiting.delete(giveUp);
  }

  end(): void {
    this.#isOver = true;
    for (const giveUp of this.#waiting) giveUp();
  }
}
