import { useState } from 'react';

/**
 * Returns the failure of a request that is repeated until it succeeds. While a request is sent again, it has no failure of
 * its own, and the page keeps showing the last one.
 *
 * @param key what is requested; the failure of another request is not kept
 */
export function useLastFailure(
  { data, error }: { readonly data: unknown; readonly error: Error | null },
  key = '',
): Error | undefined {
  const [last, setLast] = useState<{ readonly key: string; readonly error: Error }>();
  if (error && (error !== last?.error || key !== last.key)) setLast({ key, error });
  if (error) return error;
  return data === undefined && last?.key === key ? last.error : undefined;
}
