import type { CallOptions } from '../call-options.ts';
import { WaitTimer } from './wait-timer.ts';

/** How long one call waits for each answer of Cloud KMS, and whether it still needs one. */
export class WaitBudget {
  readonly budgetMs: number;
  readonly #caller: Pick<CallOptions, 'signal'>;
  /** Made for the first that waits: most calls have their data key at hand. */
  #waiting: Set<() => void> | undefined;
  #hasFailed = false;

  /** @param budgetMs milliseconds of waiting; stalls of this process do not count, see {@link WaitTimer} */
  constructor(budgetMs: number, caller: Pick<CallOptions, 'signal'> = {}) {
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
   * Starts waiting for one answer.
   * @param giveUp called when the budget is used up, the call has failed or its caller has left
   * @returns ends the waiting
   */
  wait(giveUp: () => void): () => void {
    const own = (this.#waiting ??= new Set());
    const { signal } = this.#caller;
    const all = signal && waitingFor(signal);
    own.add(giveUp);
    all?.add(giveUp);
    const timer = new WaitTimer(this.budgetMs, giveUp);
    return () => {
      timer.stop();
      own.delete(giveUp);
      all?.delete(giveUp);
    };
  }

  /** The call has failed. */
  fail(): void {
    this.#hasFailed = true;
    for (const giveUp of this.#waiting ?? []) giveUp();
  }
}

const bySignal = new WeakMap<AbortSignal, WaitingCalls>();

function waitingFor(signal: AbortSignal): WaitingCalls {
  const known = bySignal.get(signal) ?? new WaitingCalls(signal);
  bySignal.set(signal, known);
  return known;
}

/**
 * All that wait with one signal, behind one listener: a signal looks through those that it has for each new one, and a
 * history's 10,000 payloads may be as many calls.
 */
class WaitingCalls {
  readonly #signal: AbortSignal;
  readonly #all = new Set<() => void>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(giveUp: () => void): void {
    if (this.#all.size === 0) this.#signal.addEventListener('abort', this.#endAll);
    this.#all.add(giveUp);
  }

  delete(giveUp: () => void): void {
    this.#all.delete(giveUp);
    if (this.#all.size === 0) this.#signal.removeEventListener('abort', this.#endAll);
  }

  readonly #endAll = (): void => {
    for (const giveUp of this.#all) giveUp();
  };
}
