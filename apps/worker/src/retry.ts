import pRetry from 'p-retry';

export interface RetryOptions {
  /** Ends the waiting; the promise then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
  readonly firstDelayMs?: number;
}

/** Tries until it works: 1 s after the first failure, then twice as long each time, 30 s at most, with jitter. */
export function untilItWorks<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const wrapped = async () => {
    try {
      return await attempt();
    } catch (error) {
      // p-retry gives up at a TypeError and at what isn't an Error.
      throw new Failed('The attempt failed', { cause: error });
    }
  };
  return pRetry(wrapped, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: options.firstDelayMs ?? 1_000,
    maxTimeout: 30_000,
    randomize: true,
    signal: options.signal,
    onFailedAttempt: ({ error, retryDelay }) => options.onFailure(error.cause, retryDelay),
  });
}

class Failed extends Error {}
