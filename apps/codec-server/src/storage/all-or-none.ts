/**
 * Runs an operation for all items at the same time. The first failure aborts the other operations. Returns or
 * throws only when all operations have ended.
 * @throws the signal's reason, or the first failure
 */
export async function allOrNone<T, R>(
  items: readonly T[],
  signal: AbortSignal,
  operation: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const results = await Promise.allSettled(
    items.map(async (item) => {
      try {
        return await operation(item, either);
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    }),
  );
  signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
