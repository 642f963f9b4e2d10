import type { SearchHit, WorkflowSummary } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import { accessToSearch, type Reveals } from '../payloads/reveal/reveals.ts';
import type { SearchCounts } from './payload-search.ts';
import { oneAtATime, type Progress, stopped } from './one-at-a-time.ts';

/** A run with hits. */
export interface FoundRun {
  readonly workflow: WorkflowSummary;
  readonly hits: readonly SearchHit[];
  /** Whether the run may have more hits. */
  readonly partial: boolean;
}

/** What a search of several runs found in one run, to continue in that run's search. */
export interface FoundInRun {
  readonly text: string;
  readonly caseSensitive: boolean;
  /** The hits, newest event first. */
  readonly hits: readonly SearchHit[];
  /** Whether the run may have more hits. */
  readonly partial: boolean;
  /** The position in `hits` of the hit that the user opened. */
  readonly current: number;
}

/** The runs of a search: those that match a visibility query. */
export interface SearchedRuns {
  readonly namespace: string;
  /** A visibility query without relative times. */
  readonly query: string;
}

/** What the search has covered, and whether it continues. */
export interface RunsSearchProgress extends SearchCounts, SearchedRuns, Progress<string> {
  readonly text: string;
  readonly caseSensitive: boolean;
  /** Number of runs searched. */
  readonly runs: number;
  /** Number of runs in which only the newest events were searched. */
  readonly partial: number;
  /** Number of runs that could not be read. */
  readonly failed: number;
  /** Why the user searches for the text. Stored only in memory. */
  readonly justification?: string | undefined;
}

export interface RunsSearchState {
  /** Whether the panel is shown. */
  readonly open: boolean;
  readonly text: string;
  readonly caseSensitive: boolean;
  /** The runs with hits, in the order of the list. */
  readonly found: readonly FoundRun[];
  /** The search; undefined if there is none. */
  readonly search: RunsSearchProgress | undefined;
}

export type RunsSearch = ReturnType<typeof createRunsSearch>;

const initial: RunsSearchState = {
  open: false,
  text: '',
  caseSensitive: false,
  found: [],
  search: undefined,
};

/**
 * Creates the search for text in the decrypted payloads of all runs in a list. The text leaves memory only in
 * a request's body. The search is kept while the user views a run, so that it is still there when the user
 * goes back.
 */
export function createRunsSearch(reveals: Pick<Reveals, 'store' | 'onForget'>) {
  const store = createStore<RunsSearchState>()(() => initial);
  const reading = oneAtATime();
  /** Whether the user pressed Enter while the panel was still loading. */
  let entered = false;

  /** Drops the results and the text, which may come from a payload. */
  function forget() {
    reading.stop();
    store.setState({ text: '', found: [], search: undefined });
  }

  // Drops matches together with the plaintext, even while the list is not on the screen.
  reveals.onForget((namespace) => {
    const { search } = store.getState();
    if (search && (namespace === undefined || namespace === search.namespace)) forget();
  });
  reveals.store.subscribe((state) => {
    const { search } = store.getState();
    if (search && accessToSearch(state, search).status !== 'open') forget();
  });

  return {
    store,
    reading,
    show: () => store.setState({ open: true }),
    /** Changes the text. Stops a running search and drops its results. */
    setText(text: string) {
      entered = false;
      reading.stop();
      store.setState({ text, found: [], search: undefined });
    },
    setCaseSensitive(caseSensitive: boolean) {
      reading.stop();
      store.setState({ caseSensitive, found: [], search: undefined });
    },
    stop() {
      reading.stop();
      store.setState(({ search }) => ({ search: stopped(search) }));
    },
    /** Makes the panel start the search as soon as the panel has loaded. */
    enter: () => {
      entered = true;
    },
    /** Returns whether `enter` was called, and resets the flag. */
    takeEntered(): boolean {
      const was = entered;
      entered = false;
      return was;
    },
    /** Hides the panel, stops the search and drops its text. */
    clear() {
      entered = false;
      reading.stop();
      store.setState(initial);
    },
  };
}
