import pRetry from 'p-retry';

export interface RetryOptions {
  /** Ends the wait. The promise then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
  readonly firstDelayMs?: number;
}

/** Retries until `attempt` succeeds: after 1 s, then after twice the last delay, at most 30 s, with jitter. */
export function retryForever<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const wrapped = async () => {
    try {
      return await attempt();
    } catch (error) {
      // p-retry does not retry a TypeError or a value that is not an Error.
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
