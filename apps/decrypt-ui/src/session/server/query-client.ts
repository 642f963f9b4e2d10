import { QueryClient } from '@tanstack/react-query';
import { isFinal, NoAnswer } from './failure.ts';

/** Milliseconds until the page repeats a failed request for what it cannot show without an answer. */
const AGAIN = 5000;

/** A `refetchInterval`: repeats the request until there is an answer, unless repeating cannot help. */
export const untilLoaded = ({
  state: { data, error },
}: {
  readonly state: { readonly data: unknown; readonly error: Error | null };
}): number | false => (data === undefined && error !== null && !isFinal(error) ? AGAIN : false);

/** The query cache. It contains metadata only, never plaintext, and it is not persisted. */
export const createQueryClient = () =>
  new QueryClient({
    defaultOptions: {
      queries: {
        retry: (failures, error) => !isFinal(error) && !(error instanceof NoAnswer) && failures < 2,
        retryDelay: (failures) => Math.min(400 * 2 ** failures, 4000),
        staleTime: 5000,
        // The codec server may run on this machine, so being offline does not make it unreachable.
        networkMode: 'always',
      },
    },
  });
