import { QueryClient } from '@tanstack/react-query';
import { isFinal, NoAnswer } from './failure.ts';

/** Milliseconds until a page that has no data to show repeats a failed request. */
const AGAIN = 5000;

/** A `refetchInterval` that repeats a failed request until it succeeds or fails permanently. */
export const untilLoaded = ({
  state: { data, error },
}: {
  readonly state: { readonly data: unknown; readonly error: Error | null };
}): number | false => (data === undefined && error !== null && !isFinal(error) ? AGAIN : false);

/** Creates the query cache. The cache contains only metadata, never plaintext, and is not persisted. */
export const createQueryClient = () =>
  new QueryClient({
    defaultOptions: {
      queries: {
        retry: (failures, error) => !isFinal(error) && !(error instanceof NoAnswer) && failures < 2,
        retryDelay: (failures) => Math.min(400 * 2 ** failures, 4000),
        staleTime: 5000,
        // The codec server may run on this machine, where it is reachable even while the browser is offline.
        networkMode: 'always',
      },
    },
  });
