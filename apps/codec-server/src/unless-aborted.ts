/**
 * What is waited for, or the signal's reason as soon as it is aborted, whatever becomes of the other then. One listener
 * for the wait alone: `Promise.race` with a promise that lasts would collect one for every wait.
 */
export async function unlessAborted<T>(waited: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  waited.then(resolve, reject);
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
