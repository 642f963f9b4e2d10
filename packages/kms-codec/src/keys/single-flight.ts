import pRetry from 'p-retry';
import { KmsCodecError } from '../errors.ts';
import { withResolvers } from '../maybe-promise.ts';
import type { Observer } from '../observer.ts';
import type { WaitBudget } from './wait-budget.ts';

type Attempt<T> = (unwanted: AbortSignal) => Promise<T>;

interface Flight<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
  lastError: KmsCodecError | undefined;
}

/**
 * One Cloud KMS call shared by everyone who needs its answer. A flight tries again, with backoff, as long as its
 * error is retryable and somebody still waits; each caller waits as long as its own budget lasts, and one that gives
 * up never ends it for the others. One that all have left is over: who asks next begins a new one.
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
   * @param id what is asked for; the same id means the same answer
   * @param key crypto key resource name, for errors and the observer
   * @param attempt given a signal that is aborted once nobody waits any more
   * @throws the last attempt's error; `kms_unavailable` when none has ended within the budget
   */
  async join(id: string, key: string, waitBudget: WaitBudget, attempt: Attempt<T>): Promise<T> {
    const { budgetMs } = waitBudget;
    // A payload may need one answer after the other.
    if (waitBudget.isOver)
      throw new KmsCodecError('kms_unavailable', 'Nobody waits for the answer any more', { key });
    const flight = this.#flights.get(id) ?? this.#start(id, key, attempt);
    flight.waiting += 1;
    const { promise: gaveUp, reject } = withResolvers<never>();
    const giveUp = (): void =>
      reject(
        flight.lastError ??
          new KmsCodecError('kms_unavailable', `No answer from Cloud KMS within ${budgetMs / 1000} s`, {
            key,
          }),
      );
    const leave = waitBudget.wait(giveUp);
    try {
      return await Promise.race([flight.result, gaveUp]);
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
    // A flight whose waiters all left rejects with nobody to hear it.
    result.catch(() => undefined);
    this.#flights.set(id, flight);
    return flight;
  }

  #forget(id: string, flight: Flight<T>): void {
    if (this.#flights.get(id) === flight) this.#flights.delete(id);
  }
}
