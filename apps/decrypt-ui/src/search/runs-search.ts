import type {
  SearchHit,
  WorkflowSearchFrame,
  WorkflowSearchRequest,
  WorkflowSummary,
} from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import { accessToSearch, type Reveals } from '../payloads/reveal/reveals.ts';
import { type ApiFailure, failureOf, isAbort } from '../session/server/failure.ts';
import type { SearchApi } from './api.ts';
import {
  endOf,
  nothingSearched,
  PUBLISH_MS,
  type SearchCounts,
  type SearchStatus,
  sum,
  whileSignedIn,
} from './payload-search.ts';

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
  /** The position in `hits` of the hit that the reader opened. */
  readonly current: number;
}

/** The runs of a search: those that match a visibility query. */
export interface SearchedRuns {
  readonly namespace: string;
  /** A visibility query without relative times. */
  readonly query: string;
}

/** What the search has covered, and whether it continues. */
export interface RunsSearchProgress extends SearchCounts, SearchedRuns {
  readonly status: SearchStatus;
  readonly text: string;
  readonly caseSensitive: boolean;
  /** The server's position after the last completely searched run. */
  readonly after: string | undefined;
  /** Number of runs searched. */
  readonly runs: number;
  /** Number of runs of which only the newest events were searched. */
  readonly partial: number;
  /** Number of runs that could not be read. */
  readonly failed: number;
  readonly failure?: ApiFailure | undefined;
}

export interface RunsSearchState {
  /** Whether the panel is shown. */
  readonly open: boolean;
  readonly text: string;
  readonly caseSensitive: boolean;
  /** The runs with hits, in the order of the list. */
  readonly found: readonly FoundRun[];
  /** Undefined if there is no search. */
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
 * Creates the search for text in the decrypted payloads of all runs in a list. Its text leaves memory only in a request's
 * body. The search is kept while the reader views a run, so that it is still there after Back.
 */
export function createRunsSearch(
  { searchWorkflows, renewed }: Pick<SearchApi, 'searchWorkflows' | 'renewed'>,
  reveals: Pick<Reveals, 'store' | 'onForget'>,
) {
  const store = createStore<RunsSearchState>()(() => initial);
  let abort: AbortController | undefined;
  /** Why the reader searches for the current text. */
  let justification: string | undefined;
  /** Whether the reader pressed Enter while the panel was still loading. */
  let entered = false;

  function stop(status?: 'stopped') {
    abort?.abort();
    abort = undefined;
    const { search } = store.getState();
    if (search?.status === 'running' && status) store.setState({ search: { ...search, status } });
  }

  async function run(runs: SearchedRuns, known: RunsSearchProgress | undefined) {
    stop();
    const own = new AbortController();
    abort = own;
    const { text, caseSensitive, found: before } = store.getState();
    const { namespace, query } = runs;
    const found = new Map((known ? before : []).map((each) => [each.workflow.runId, each]));
    let base: RunsSearchProgress = known ?? {
      ...nothingSearched,
      namespace,
      query,
      text,
      caseSensitive,
      status: 'running',
      after: undefined,
      runs: 0,
      partial: 0,
      failed: 0,
    };
    let search: RunsSearchProgress = { ...base, status: 'running', failure: undefined };
    let current: { readonly workflow: WorkflowSummary; hits: SearchHit[]; partial: boolean } | undefined;
    let publishing: ReturnType<typeof setTimeout> | undefined;
    const publish = () => {
      clearTimeout(publishing);
      publishing = undefined;
      if (abort === own) store.setState({ search, found: [...found.values()] });
    };
    /** The server searches a batch of runs per request. Continues automatically until the first match, as the reader would. */
    const goesOn = (frame: WorkflowSearchFrame) =>
      frame.type === 'end' && frame.reason === 'limit' && frame.runs > 0 && found.size === 0;
    const add = (frame: WorkflowSearchFrame) => {
      switch (frame.type) {
        case 'run':
          current = { workflow: frame.workflow, hits: [], partial: frame.partial };
          // A continued search repeats runs after its position.
          found.set(frame.workflow.runId, current);
          break;
        case 'hit':
          current?.hits.push(frame);
          break;
        default: {
          const { after } = frame;
          search = { ...search, ...sum(base, frame), after, runs: base.runs + frame.runs };
          if (frame.type === 'progress') break;
          search = { ...search, partial: base.partial + frame.partial, failed: base.failed + frame.failed };
          if ((frame.reason === 'signed_out' && renewed) || goesOn(frame)) base = search;
          else search = { ...search, ...endOf(frame.reason, frame.message) };
        }
      }
    };
    publish();
    const { signal } = own;
    const body: WorkflowSearchRequest = {
      text,
      caseSensitive,
      query,
      ...(justification && { justification }),
    };
    const frames = whileSignedIn({
      after: known?.after,
      open: (after) => searchWorkflows(namespace, { ...body, ...(after !== undefined && { after }) }, signal),
      goesOn,
      renewed,
      signal,
    });
    try {
      for await (const frame of frames) {
        add(frame);
        publishing ??= setTimeout(publish, PUBLISH_MS);
      }
      if (search.status === 'running') search = { ...search, ...endOf('error', undefined) };
    } catch (error) {
      if (isAbort(error)) {
        clearTimeout(publishing);
        return;
      }
      search = { ...search, status: 'failed', failure: failureOf(error) };
    }
    publish();
    if (abort === own) abort = undefined;
  }

  /** Drops the results and the text, which may come from a payload. */
  function forget() {
    stop();
    justification = undefined;
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
    show: () => store.setState({ open: true }),
    /** Changes the text. Stops a running search and drops its results. */
    setText(text: string) {
      entered = false;
      stop();
      store.setState({ text, found: [], search: undefined });
    },
    setCaseSensitive(caseSensitive: boolean) {
      stop();
      store.setState({ caseSensitive, found: [], search: undefined });
    },
    /** Searches the runs' decrypted payloads for the text. */
    start(runs: SearchedRuns, given?: string) {
      if (store.getState().text.trim() === '') return;
      justification = given;
      void run(runs, undefined);
    },
    /** Continues a search that stopped or reached a limit, after the last searched run. */
    resume(given?: string) {
      const { search } = store.getState();
      if (!search) return;
      justification = given ?? justification;
      void run(search, search);
    },
    stop: () => stop('stopped'),
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
      stop();
      justification = undefined;
      store.setState(initial);
    },
  };
}
