import pRetry from 'p-retry';
import { KmsCodecError } from '../errors.ts';
import { withResolvers } from '../maybe-promise.ts';
import type { Observer } from '../observer.ts';
import type { WaitBudget } from './wait-budget.ts';

type Attempt<T> = (signal: AbortSignal) => Promise<T>;

interface Flight<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
  lastError: KmsCodecError | undefined;
}

/**
 * Shares one Cloud KMS call among all callers that need its result. Retries the call with backoff while its
 * error is retryable and at least one caller waits. Each caller has a separate wait budget, and a caller that
 * gives up does not affect the other callers. Once all callers have given up, the call is aborted, and the
 * next caller starts a new call.
 *
 * This is our own code, because no library shares retries among callers with different budgets.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #observer: Observer;

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  has(id: string): boolean {
    return this.#flights.has(id);
  }

  /**
   * Joins the call in flight for an id, or starts a call.
   * @param id identifies the result; callers with the same id share a call
   * @param key crypto key resource name, for errors and the observer
   * @param attempt makes one attempt; its signal is aborted when no caller waits any longer
   * @throws KmsCodecError the last attempt's error; `kms_unavailable` if no attempt ended within the budget
   */
  async join(id: string, key: string, waitBudget: WaitBudget, attempt: Attempt<T>): Promise<T> {
    const { budgetMs } = waitBudget;
    // Checks again before each call, because a payload can need several calls in sequence.
    if (waitBudget.isFinished)
      throw new KmsCodecError(
        'kms_unavailable',
        'The codec call had already failed, been aborted or run out of time, so Cloud KMS was not called',
        { key },
      );
    const flight = this.#flights.get(id) ?? this.#start(id, key, attempt);
    flight.waiting += 1;
    const { promise: gaveUp, reject } = withResolvers<never>();
    const giveUp = (): void =>
      reject(
        flight.lastError ??
          new KmsCodecError('kms_unavailable', `Cloud KMS did not respond within ${budgetMs / 1000} s`, {
            key,
          }),
      );
    const leave = waitBudget.wait(giveUp);
    try {
      const result = await Promise.race([flight.result, gaveUp]);
      if (!waitBudget.hasAttemptEnded) return result;
      throw new KmsCodecError(
        'kms_unavailable',
        "Cloud KMS responded after the activity's attempt had timed out, so the activity does not run",
        { key },
      );
    } finally {
      leave();
      flight.waiting -= 1;
      if (flight.waiting === 0) {
        this.#forget(id, flight);
        flight.stop.abort();
      }
    }
  }

  #start(id: string, key: string, attempt: Attempt<T>): Flight<T> {
    const stop = new AbortController();
    const result = pRetry(() => attempt(stop.signal), {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: 100,
      maxTimeout: 2_000,
      factor: 2,
      randomize: true,
      signal: stop.signal,
      shouldRetry: ({ error }) => error instanceof KmsCodecError && error.retryable,
      onFailedAttempt: ({ error, retryDelay }) => {
        if (!(error instanceof KmsCodecError)) return;
        flight.lastError = error;
        if (error.retryable) this.#observer.kmsRetry?.({ key, code: error.code, delayMs: retryDelay });
      },
    }).finally(() => this.#forget(id, flight));
    const flight: Flight<T> = { result, stop, waiting: 0, lastError: undefined };
    this.#flights.set(id, flight);
    return flight;
  }

  #forget(id: string, flight: Flight<T>): void {
    if (this.#flights.get(id) === flight) this.#flights.delete(id);
  }
}
