/**
 * Runs an operation with a signal that also ends it after `ms`. `AbortSignal.any` and `AbortSignal.timeout`
 * would keep memory for each operation until that time, because the clients leave their listeners.
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
  const timer = setTimeout(() => controller.abort(new DOMException('Time limit', 'TimeoutError')), ms);
  try {
    return await operation(controller.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
