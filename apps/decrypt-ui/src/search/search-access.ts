import { askToReveal } from '../payloads/reveal/reveal-request.ts';
import { useRevealed, useReveals } from '../payloads/reveal/reveals-context.tsx';
import {
  accessToSearch,
  needsJustification,
  type RevealTarget,
  type SearchPlace,
} from '../payloads/reveal/reveals.ts';

interface SearchAccess {
  /**
   * What a search requires from the person. `locked`: the person has locked the payloads; starting a search reveals
   * only its matches.
   */
  readonly status: 'refused' | 'locked' | 'justification' | 'open';
  /**
   * The time at which the page hides the matches, in milliseconds since 1970; undefined if the page never hides them.
   */
  readonly until: number | undefined;
  /**
   * Asks for a justification if the search requires one, and then calls `search` with the justification.
   */
  readonly permitted: (search: (justification: string | undefined) => void) => void;
}

/**
 * Returns whether the person may search decrypted payloads. The rules for reveals apply, because matches contain
 * plaintext.
 *
 * @param what what the server decrypts, for example `the payloads of this run`
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
