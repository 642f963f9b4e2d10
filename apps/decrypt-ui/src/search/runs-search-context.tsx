import type { ReactNode } from 'react';
import { useStore } from 'zustand';
import { requiredContext } from '../ui/required-context.ts';
import type { RunsSearch, RunsSearchState } from './runs-search.ts';

const [Context, useRunsSearch] = requiredContext<RunsSearch>('RunsSearchProvider');
export { useRunsSearch };

/** Provides the search of several runs' payloads to the pages. */
export function RunsSearchProvider({ search, children }: { search: RunsSearch; children: ReactNode }) {
  return <Context value={search}>{children}</Context>;
}

export const useRunsSearchState = (): RunsSearchState => useStore(useRunsSearch().store);
