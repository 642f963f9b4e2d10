import { useStore } from 'zustand';
import { useReveals } from '../payloads/reveal/reveals-context.tsx';
import type { Reveals } from '../payloads/reveal/reveals.ts';
import { perPerson } from '../payloads/reveal/per-person.ts';
import { createRunsSearch, type RunsSearch, type RunsSearchState } from './runs-search.ts';

const runsSearchOf = perPerson(({ reveals }: { readonly reveals: Reveals }) => createRunsSearch(reveals));

/** Returns the person's search in several runs' payloads. */
export const useRunsSearch = (): RunsSearch => runsSearchOf({ reveals: useReveals() });

export const useRunsSearchState = (): RunsSearchState => useStore(useRunsSearch().store);
