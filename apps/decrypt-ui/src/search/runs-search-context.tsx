import { createContext, type ReactNode, useContext } from 'react';
import { useStore } from 'zustand';
import type { RunsSearch, RunsSearchState } from './runs-search.ts';

const Context = createContext<RunsSearch | undefined>(undefined);

/** Gives the pages the search in the payloads of several runs. */
export function RunsSearchProvider({ search, children }: { search: RunsSearch; children: ReactNode }) {
  return <Context value={search}>{children}</Context>;
}

export function useRunsSearch(): RunsSearch {
  const search = useContext(Context);
  if (!search) throw new Error('useRunsSearch() was called outside of <RunsSearchProvider>.');
  return search;
}

export const useRunsSearchState = (): RunsSearchState => useStore(useRunsSearch().store);
