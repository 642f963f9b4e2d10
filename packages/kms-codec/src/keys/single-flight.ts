import pRetry from 'p-retry';
import { KmsCodecError } from '../errors.ts';
import type { Observer } from '../observer.ts';

interface Flight<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
  lastError: KmsCodecError | undefined;
}

/**
 * One Cloud KMS call shared by everyone who needs its answer. A flight tries again, with backoff, as long as its
 * error is retryable and somebody still waits; each caller waits at most its own budget, and one that gives up never
 * ends it for the others.
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
   * @param budgetMs how long this caller waits
   * @throws the last attempt's error; `kms_unavailable` when none has ended within the budget
   */
  async join(id: string, key: string, budgetMs: number, attempt: () => Promise<T>): Promise<T> {
    const flight = this.#flights.get(id) ?? this.#start(id, key, attempt);
    flight.waiting += 1;
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(
          flight.lastError ??
            new KmsCodecError('kms_unavailable', `No answer from Cloud KMS within ${budgetMs / 1000} s`, {
              key,
            }),
        );
      }, budgetMs);
    });
    try {
      return await Promise.race([flight.result, patience]);
    } finally {
      clearTimeout(timer);
      flight.waiting -= 1;
      if (flight.waiting === 0) flight.stop.abort();
    }
  }

  #start(id: string, key: string, attempt: () => Promise<T>): Flight<T> {
    const stop = new AbortController();
    const result = pRetry(attempt, {
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
    }).finally(() => this.#flights.delete(id));
    const flight: Flight<T> = { result, stop, waiting: 0, lastError: undefined };
    // A flight whose waiters all left rejects with nobody to hear it.
    result.catch(() => undefined);
    this.#flights.set(id, flight);
    return flight;
  }
}
