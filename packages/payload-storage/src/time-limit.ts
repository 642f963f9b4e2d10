/** The reason for ending an operation that has reached its time limit. */
export class TimeLimitReached extends Error {
  override readonly name = 'TimeLimitReached';
}

/**
 * Runs an operation with a signal that is aborted together with `signal`, or after `ms` milliseconds. Does
 * not wait for an operation that ignores the signal. Clients ignore the signal while they get credentials.
 * `AbortSignal.any` and `AbortSignal.timeout` are not used, because clients do not remove their listeners, so
 * each operation would keep memory until the time limit.
 * @throws TimeLimitReached; the signal's reason; the error of the operation
 */
export async function withTimeLimit<T>(
  signal: AbortSignal,
  ms: number,
  operation: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const controller = new AbortController();
  const stop = () => controller.abort(signal.reason);
  signal.addEventListener('abort', stop);
  const timer = setTimeout(() => controller.abort(new TimeLimitReached()), ms);
  const ended = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason));
  });
  try {
    return await Promise.race([operation(controller.signal), ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
