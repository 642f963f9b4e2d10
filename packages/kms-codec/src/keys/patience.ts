/** How long one call waits for Cloud KMS, all its payloads together. */
export class Patience {
  readonly budgetMs: number;
  #ended: AbortController | undefined;

  constructor(budgetMs: number) {
    this.budgetMs = budgetMs;
  }

  /** Aborted once the call has failed: what it still waits for, nobody needs any more. */
  get over(): AbortSignal {
    this.#ended ??= new AbortController();
    return this.#ended.signal;
  }

  end(): void {
    this.#ended?.abort();
  }
}
