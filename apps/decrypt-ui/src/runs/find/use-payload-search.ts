import { useSearchAccess } from '../../search/search-access.ts';
import { useRun } from '../run/run-context.tsx';

/**
 * Returns functions that search the run's decrypted payloads. The functions first ask for a justification if
 * the namespace requires one.
 */
export function usePayloadSearch() {
  const { find, address } = useRun();
  const { namespace } = address;
  const { status, permitted } = useSearchAccess({ namespace, run: address }, 'the payloads of this run');
  return {
    status,
    /** Searches the payloads for the text in the search field. */
    start: () => permitted(find.searchPayloads),
    /** Continues a search that stopped. */
    resume: () => permitted(find.resume),
  };
}
