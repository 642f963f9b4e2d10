import { QueryClient } from '@tanstack/react-query';
import { isFinal } from './failure.ts';

/** The query cache. It contains metadata only, never plaintext, and it is not persisted. */
export const createQueryClient = () =>
  new QueryClient({
    defaultOptions: {
      queries: {
        retry: (failures, error) => !isFinal(error) && failures < 2,
        retryDelay: (failures) => Math.min(400 * 2 ** failures, 4000),
        staleTime: 5000,
        // The codec server may run on this machine, so being offline does not make it unreachable.
        networkMode: 'always',
      },
    },
  });
