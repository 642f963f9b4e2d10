import type { CallOptions } from '../call-options.ts';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';

/** Counts the calls that are waiting for Cloud KMS. */
export interface CallCount {
  waiting: number;
}

/** The wait limits of an activity attempt whose payloads a call decodes. */
export interface AttemptWaits {
  /** Whether the attempt has ended, has timed out or is about to time out. If so, the activity must not run. */
  readonly hasEnded: boolean;
  /**
   * Starts to wait for one response.
   * @param giveUp called when the attempt cannot wait any longer
   * @returns a function that ends the wait
   */
  wait(giveUp: () => void): () => void;
}

/** How long one call waits for each Cloud KMS response, and whether the call still needs a response. */
export class WaitBudget {
  readonly budgetMs: number;
  readonly #caller: Pick<CallOptions, 'signal'>;
  readonly #calls: CallCount;
  readonly #attempt: AttemptWaits | undefined;
  /**
   * The waits in progress. The first wait creates this set, because most calls find their data key in the cache and
   * never wait.
   */
  #waiting: Set<() => void> | undefined;
  #hasFailed = false;

  /**
   * @param budgetMs the maximum time of each wait, in ms; stalls of this process do not count (see {@link
   *   WaitTimer})
   * @param calls counts the call while it waits; absent for background work, for which no caller waits
   * @param attempt the attempt of the activity whose input the call decodes
   */
  constructor(
    budgetMs: number,
    caller: Pick<CallOptions, 'signal'> = {},
    calls: CallCount = { waiting: 0 },
    attempt?: AttemptWaits,
  ) {
    this.budgetMs = budgetMs;
    this.#caller = caller;
    this.#calls = calls;
    this.#attempt = attempt;
  }

  /**
   * Whether the call needs no further response, because it has failed, its caller has aborted it, or the
   * activity's attempt has ended.
   */
  get isFinished(): boolean {
    return this.#hasFailed || this.isAborted || this.hasAttemptEnded;
  }

  get hasAttemptEnded(): boolean {
    return this.#attempt?.hasEnded === true;
  }

  get isAborted(): boolean {
    return this.#caller.signal?.aborted === true;
  }

  /** The reason of the caller's abort signal. */
  get reason(): unknown {
    return this.#caller.signal?.reason;
  }

  /**
   * Starts to wait for one response.
   * @param giveUp called if the budget is exhausted, or if the call fails or is aborted
   * @returns a function that ends the wait
   */
  wait(giveUp: () => void): () => void {
    const own = (this.#waiting ??= new Set());
    const { signal } = this.#caller;
    const all = signal && waitingFor(signal);
    if (own.size === 0) this.#calls.waiting += 1;
    own.add(giveUp);
    all?.add(giveUp);
    const timer = new WaitTimer(this.budgetMs, giveUp);
    const leave = this.#attempt?.wait(giveUp);
    return () => {
      timer.stop();
      leave?.();
      if (own.delete(giveUp) && own.size === 0) this.#calls.waiting -= 1;
      all?.delete(giveUp);
    };
  }

  /** Marks the call as failed and ends its waits. */
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
 * All waits with the same signal share one listener. A signal compares each new listener with all existing
 * listeners, which would be slow for a history with 10,000 payloads, each in a separate call.
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
