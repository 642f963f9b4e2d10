import { askToReveal } from '../payloads/reveal/reveal-request.ts';
import { useRevealed, useReveals } from '../payloads/reveal/reveals-context.tsx';
import {
  accessToSearch,
  needsJustification,
  type RevealTarget,
  type SearchPlace,
} from '../payloads/reveal/reveals.ts';

interface SearchAccess {
  /** What the search needs first. `locked`: the person has locked the payloads, and the search reveals its matches. */
  readonly status: 'refused' | 'locked' | 'justification' | 'open';
  /** When the matches are hidden, in milliseconds since 1970; undefined if they stay. */
  readonly until: number | undefined;
  /** Runs a search with the justification of the reveal that permits it; asks for one before, if it is needed. */
  readonly permitted: (search: (justification: string | undefined) => void) => void;
}

/**
 * The access to a search in decrypted payloads. It has the same rules as reveals, because its matches contain plaintext.
 *
 * @param what what the server decrypts: `the payloads of this run`
 */
export function useSearchAccess(place: SearchPlace, what: string): SearchAccess {
  const reveals = useReveals();
  const access = useRevealed((state) => accessToSearch(state, place).status);
  const justified = useRevealed((state) => needsJustification(state, place.namespace));
  const until = useRevealed((state) => {
    const now = accessToSearch(state, place);
    return now.status === 'open' && now.grant && Number.isFinite(now.grant.until)
      ? now.grant.until
      : undefined;
  });

  function permitted(search: (justification: string | undefined) => void) {
    const now = accessToSearch(reveals.store.getState(), place);
    if (now.status === 'refused') return;
    if (now.status === 'open') search(now.grant?.justification);
    else {
      askToReveal(reveals, {
        choices: [{ target: targetOf(place), text: 'Matches', name: 'matches of a search' }],
        what,
        onRevealed: () => permitted(search),
      });
    }
  }

  return { status: access === 'locked' && justified ? 'justification' : access, until, permitted };
}

const targetOf = ({ namespace, run }: SearchPlace): RevealTarget =>
  run ? { kind: 'search', run } : { kind: 'searches', namespace };
