import type { SearchFrame, SearchHit, SearchRequest } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import {
  endOf,
  nothingSearched,
  PUBLISH_MS,
  type SearchCounts,
  type SearchStatus,
  sum,
  whileSignedIn,
} from '../../search/payload-search.ts';
import type { FoundInRun } from '../../search/runs-search.ts';
import type { ApiClient } from '../../session/server/client.ts';
import { type ApiFailure, failureOf, isAbort } from '../../session/server/failure.ts';
import { type Hit, type Matches, searchWords } from '../events/matches.ts';

/** What a search in payloads has covered, and whether it continues. */
export interface PayloadSearch extends SearchCounts {
  readonly status: SearchStatus;
  /** The text that is searched. The field may contain another text already. */
  readonly text: string;
  /** The last event that was searched. */
  readonly after: number | undefined;
  /** How many events the run had when the search began; undefined until the server reports it. */
  readonly of: number | undefined;
  /** A search across runs found the hits, so the counts are not this run's. */
  readonly inRuns?: true;
  readonly failure?: ApiFailure | undefined;
}

export interface FindState {
  /** Whether the bar with the field is shown. */
  readonly open: boolean;
  readonly term: string;
  /** Names are searched with each key. Payloads are searched on request, because the server decrypts and records it. */
  readonly scope: 'names' | 'payloads';
  readonly caseSensitive: boolean;
  /** Shows the rows that match and no others. */
  readonly only: boolean;
  /** Undefined without a search. */
  readonly matches: Matches | undefined;
  /** Whether `matches` are for the current text rather than the previous one. */
  readonly settled: boolean;
  /** The places in payloads in the order found: newest event first. */
  readonly hits: readonly SearchHit[];
  /** The place in `hits` that the reader has jumped to. */
  readonly current: number | undefined;
  readonly search: PayloadSearch | undefined;
}

export interface FindOptions {
  /** Searches names; the results arrive through `addNames`. */
  readonly findNames: (words: readonly string[]) => void;
  readonly searchPayloads: (request: SearchRequest, signal: AbortSignal) => AsyncIterable<SearchFrame>;
  readonly renewed?: ApiClient['renewed'];
}

export type Find = ReturnType<typeof createFind>;

const inNames: readonly Hit[] = [{ in: 'names' }];

const initial: FindState = {
  open: false,
  term: '',
  scope: 'names',
  caseSensitive: false,
  only: false,
  matches: undefined,
  settled: false,
  hits: [],
  current: undefined,
  search: undefined,
};

/** Forgets the results of a search. */
const noResults = { hits: [], current: undefined, search: undefined } as const;

const nothingCovered = { ...nothingSearched, after: undefined, of: undefined } as const;

/**
 * The search in one run: its text, its progress and its hits. The text never leaves memory, except in a request's
 * body.
 */
export function createFind({ findNames, searchPayloads, renewed }: FindOptions) {
  const store = createStore<FindState>()(() => initial);
  let abort: AbortController | undefined;
  /** Why the reader searches for the present text. */
  let justification: string | undefined;
  /** Called when no name matches the present text. */
  let onNoName: (() => void) | undefined;

  function stop(status: 'stopped' | undefined) {
    abort?.abort();
    abort = undefined;
    const { search } = store.getState();
    if (search?.status === 'running' && status) store.setState({ search: { ...search, status } });
  }

  function searchNames(term: string) {
    const words = searchWords(term);
    onNoName = undefined;
    store.setState({ settled: false });
    // The matches of the text before stay until the worker answers, so that no row dims for a moment.
    if (words.length === 0) store.setState({ matches: undefined });
    findNames(words);
  }

  async function run(request: SearchRequest) {
    stop(undefined);
    const own = new AbortController();
    abort = own;
    const before = store.getState();
    const hits = request.after === undefined ? [] : [...before.hits];
    const matches = new Map<number, Hit[]>(request.after === undefined ? [] : copy(before.matches));
    const seen = new Set(hits.map(placeOf));
    let base: PayloadSearch | typeof nothingCovered =
      request.after === undefined ? nothingCovered : (before.search ?? nothingCovered);
    let search: PayloadSearch = { ...base, status: 'running', text: request.text, failure: undefined };
    let published = 0;
    const publish = () => {
      if (abort !== own) return;
      published = performance.now();
      store.setState({ search, hits: [...hits], matches: new Map(matches) });
    };
    publish();
    const { signal } = own;
    const frames = whileSignedIn({
      after: request.after,
      open: (after) => searchPayloads({ ...request, ...(after !== undefined && { after }) }, signal),
      renewed,
      signal,
    });
    try {
      for await (const frame of frames) {
        if (frame.type === 'hit') {
          // The event that a request ended in is searched again.
          if (seen.has(placeOf(frame))) continue;
          seen.add(placeOf(frame));
          hits.push(frame);
          addFound(matches, frame);
          continue;
        }
        const { after } = frame;
        search = {
          ...search,
          ...sum(base, frame),
          after,
          ...(frame.type === 'progress' && { of: frame.of }),
        };
        if (frame.type === 'end') {
          if (frame.reason === 'signed_out' && renewed) base = search;
          else search = { ...search, ...endOf(frame.reason, frame.message) };
        }
        // Hits are published with the progress that covers them, so a continued search repeats none.
        if (frame.type === 'end' || performance.now() - published > PUBLISH_MS) publish();
      }
      if (search.status === 'running') search = { ...search, ...endOf('error', undefined) };
    } catch (error) {
      if (isAbort(error)) return;
      search = { ...search, status: 'failed', failure: failureOf(error) };
    }
    publish();
    if (abort === own) abort = undefined;
  }

  function start(after: number | undefined, given: string | undefined) {
    const { term, caseSensitive } = store.getState();
    if (term.trim() === '') return;
    justification = given ?? (after === undefined ? undefined : justification);
    store.setState({ scope: 'payloads', open: true, ...(after === undefined && { current: undefined }) });
    findNames([]);
    void run({
      text: term,
      caseSensitive,
      order: 'newest_first',
      ...(after === undefined ? {} : { after }),
      ...(justification === undefined ? {} : { justification }),
    });
  }

  function setScope(scope: FindState['scope']) {
    const { term, scope: known } = store.getState();
    if (scope === known) return;
    stop(undefined);
    store.setState({ scope, ...noResults, matches: undefined });
    if (scope === 'names') searchNames(term);
    else findNames([]);
  }

  return {
    store,
    /** Shows the field. */
    show(scope?: FindState['scope']) {
      store.setState({ open: true });
      if (scope) setScope(scope);
    },
    /** Changes the text. Names are searched at once; a search in payloads ends, and starts again on request. */
    setTerm(term: string) {
      stop(undefined);
      const { scope } = store.getState();
      store.setState({ term, ...noResults });
      if (scope === 'names') searchNames(term);
      else store.setState({ matches: undefined });
    },
    setScope,
    /** Shows what a search in several runs has found in this run. The text comes in memory only. */
    adopt({ text, caseSensitive, hits, partial, current }: FoundInRun) {
      stop(undefined);
      findNames([]);
      const matches = new Map<number, Hit[]>();
      for (const found of hits) addFound(matches, found);
      const status = partial ? 'limit' : 'complete';
      // No event between two hits contains the text, so the search may continue after the last hit.
      const search = { ...nothingCovered, status, text, inRuns: true, after: hits.at(-1)?.eventId } as const;
      store.setState({
        ...initial,
        open: true,
        term: text,
        scope: 'payloads',
        caseSensitive,
        matches,
        hits,
        current,
        search,
      });
    },
    setCurrent: (current: number) => store.setState({ current }),
    setCaseSensitive(caseSensitive: boolean) {
      stop(undefined);
      store.setState({ caseSensitive, ...noResults, matches: undefined });
    },
    setOnly: (only: boolean) => store.setState({ only }),
    /** Names that match, from the index; `from` is the first event that was searched. */
    addNames(eventIds: readonly number[], from: number) {
      const { scope, matches, term } = store.getState();
      if (scope !== 'names' || searchWords(term).length === 0) return;
      const next = new Map(from === 1 ? [] : copy(matches));
      // Provisional events may have been replaced.
      if (from > 1) for (const eventId of next.keys()) if (eventId >= from) next.delete(eventId);
      for (const eventId of eventIds) next.set(eventId, [...inNames]);
      if (from > 1 && eventIds.length === 0 && next.size === matches?.size) return;
      store.setState({ matches: next, settled: true });
      const act = onNoName;
      onNoName = undefined;
      if (next.size === 0) act?.();
    },
    /** Calls the function if no name matches the text, as soon as that is known. */
    ifNoName(act: () => void) {
      const { scope, settled, matches, term } = store.getState();
      if (scope !== 'names' || searchWords(term).length === 0) return;
      if (!settled) onNoName = act;
      else if (matches?.size === 0) act();
    },
    /** Searches the run's decrypted payloads for the text. */
    searchPayloads: (given?: string) => start(undefined, given),
    /** Continues a search that stopped or reached a limit, after the last event that was searched. */
    resume: (given?: string) => start(store.getState().search?.after, given),
    stop: () => stop('stopped'),
    /** Drops the results of a search in payloads and its text, which may be in a payload. */
    forgetPayloads() {
      const { scope } = store.getState();
      if (scope !== 'payloads') return;
      stop(undefined);
      justification = undefined;
      store.setState({ ...noResults, matches: undefined, term: '' });
    },
    /** Hides the field, ends the search and forgets its text. */
    clear() {
      stop(undefined);
      justification = undefined;
      findNames([]);
      store.setState(initial);
    },
  };
}

const placeOf = ({ ref, pointer, in: part }: SearchHit) => `${ref} ${part} ${pointer}`;

function addFound(matches: Map<number, Hit[]>, found: SearchHit): void {
  matches.set(found.eventId, [...(matches.get(found.eventId) ?? []), { in: 'payload', found }]);
}

const copy = (matches: Matches | undefined): [number, Hit[]][] =>
  [...(matches ?? [])].map(([eventId, hits]) => [eventId, [...hits]]);
