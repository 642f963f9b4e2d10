import type { CallOptions } from '../call-options.ts';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';

/** How many calls wait for Cloud KMS. */
export interface CallCount {
  waiting: number;
}

/** An attempt of an activity whose payloads a call decodes. */
export interface AttemptWaits {
  /** Whether Temporal has ended the attempt, so the activity must no longer run. */
  readonly hasEnded: boolean;
  /**
   * Starts to wait for one response.
   * @param giveUp called when the attempt can wait no longer
   * @returns a function that ends the wait
   */
  wait(giveUp: () => void): () => void;
}

/** How long one call waits for each response of Cloud KMS, and whether it still needs one. */
export class WaitBudget {
  readonly budgetMs: number;
  readonly #caller: Pick<CallOptions, 'signal'>;
  readonly #calls: CallCount;
  readonly #attempt: AttemptWaits | undefined;
  /** Created by the first wait: the data key of most calls is cached. */
  #waiting: Set<() => void> | undefined;
  #hasFailed = false;

  /**
   * @param budgetMs milliseconds of waiting; stalls of this process do not count, see {@link WaitTimer}
   * @param calls counts the call while it waits; absent in the background, where no caller waits
   * @param attempt of the activity whose input the call decodes
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
   * Whether the call needs no further response: it has failed, its caller has aborted it, or the activity's attempt
   * has ended.
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
   * @param giveUp called when the budget is exhausted, or the call has failed or was aborted
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
 * All waits with one signal, behind one listener. A signal compares each new listener with those that it has, and the
 * 10,000 payloads of a history may be as many calls.
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
