import { useState } from 'react';

/**
 * Returns the last failure of a request that is repeated until it succeeds. While a retry is in flight, the page
 * keeps showing the previous failure.
 *
 * @param key identifies the request; a new key discards the failure of the previous request
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
