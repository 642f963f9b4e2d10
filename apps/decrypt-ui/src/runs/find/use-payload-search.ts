import { useSearchAccess } from '../../search/search-access.ts';
import { useRun } from '../run/run-context.tsx';

/** The search in the decrypted payloads of the run. It asks for a justification first, where it is needed. */
export function usePayloadSearch() {
  const { find, address } = useRun();
  const { namespace } = address;
  const { status, permitted } = useSearchAccess({ namespace, run: address }, 'the payloads of this run');
  return {
    status,
    /** Searches for the text in the field. */
    start: () => permitted(find.searchPayloads),
    /** Continues a search that stopped. */
    resume: () => permitted(find.resume),
  };
}
