import type { SearchFrame, SearchHit, SearchRequest } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import { nothingSearched, type SearchCounts, sum } from '../../search/payload-search.ts';
import { oneAtATime, type Progress, stopped } from '../../search/one-at-a-time.ts';
import { readOn } from '../../search/read-on.ts';
import type { FoundInRun } from '../../search/runs-search.ts';
import type { ApiClient } from '../../session/server/client.ts';
import { type Hit, type Matches, searchWords } from '../events/matches.ts';

/** What a search of payloads has covered, and whether it is running. */
export interface PayloadSearch extends SearchCounts, Progress<number> {
  /** The text of the search. The field may already contain another text. */
  readonly text: string;
  /** Number of events in the run when the search began; undefined until the server reports it. */
  readonly of: number | undefined;
  /** `true` if a search of several runs found the hits. The counts then do not describe this run. */
  readonly inRuns?: true;
}

export interface FindState {
  /** Whether the bar with the field is shown. */
  readonly open: boolean;
  readonly term: string;
  /**
   * Names are searched at each keystroke. Payloads are searched on request, because the server decrypts them and records
   * the search.
   */
  readonly scope: 'names' | 'payloads';
  readonly caseSensitive: boolean;
  /** Whether to show only matching rows. */
  readonly only: boolean;
  /** The matches; undefined if there is no search. */
  readonly matches: Matches | undefined;
  /** Whether `matches` are for the current text rather than the previous text. */
  readonly settled: boolean;
  /** Matching places in payloads, in the order found: newest event first. */
  readonly hits: readonly SearchHit[];
  /** The index in `hits` of the hit that the user jumped to. */
  readonly current: number | undefined;
  readonly search: PayloadSearch | undefined;
}

export interface FindOptions {
  /** Searches names. The results arrive through `addNames`. */
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

/** Merge this into the state to drop a search's results. */
const noResults = { hits: [], current: undefined, search: undefined } as const;

const nothingCovered = { ...nothingSearched, status: 'running', after: undefined, of: undefined } as const;

/** Creates the search of one run, with its text, progress and hits. The text leaves memory only in a request's body. */
export function createFind({ findNames, searchPayloads, renewed }: FindOptions) {
  const store = createStore<FindState>()(() => initial);
  const reading = oneAtATime();
  /** Why the user searches for the current text. */
  let justification: string | undefined;
  /** Called when no name matches the current text. */
  let onNoName: (() => void) | undefined;

  function searchNames(term: string) {
    const words = searchWords(term);
    onNoName = undefined;
    store.setState({ settled: false });
    // Matches of the previous text stay until the worker answers, so that rows do not dim briefly.
    if (words.length === 0) store.setState({ matches: undefined });
    findNames(words);
  }

  function run(request: SearchRequest) {
    const signal = reading.begin();
    const isNew = request.after === undefined;
    const before = store.getState();
    const hits = isNew ? [] : [...before.hits];
    const matches = new Map<number, Hit[]>(isNew ? [] : copy(before.matches));
    const seen = new Set(hits.map(placeOf));
    const known = isNew ? nothingCovered : (before.search ?? nothingCovered);
    void readOn<number, SearchFrame, PayloadSearch>(
      {
        known: { ...known, text: request.text },
        open: (after) => searchPayloads({ ...request, ...(after !== undefined && { after }) }, signal),
        add: (now, frame, base) => {
          if (frame.type === 'hit') {
            // A continued search repeats the event in which the previous request ended.
            if (seen.has(placeOf(frame))) return now;
            seen.add(placeOf(frame));
            hits.push(frame);
            addFound(matches, frame);
            return now;
          }
          const next = { ...now, ...sum(base, frame), after: frame.after };
          return frame.type === 'progress' ? { ...next, of: frame.of } : next;
        },
        renewed,
        publish: (search) => store.setState({ search, hits: [...hits], matches: new Map(matches) }),
      },
      signal,
    );
  }

  function start(after: number | undefined, given: string | undefined) {
    const { term, caseSensitive } = store.getState();
    if (term.trim() === '') return;
    justification = given ?? (after === undefined ? undefined : justification);
    store.setState({ scope: 'payloads', open: true, ...(after === undefined && { current: undefined }) });
    findNames([]);
    run({
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
    reading.stop();
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
    /** Changes the text. Searches names immediately. Stops a search of payloads, which starts again only on request. */
    setTerm(term: string) {
      reading.stop();
      const { scope } = store.getState();
      store.setState({ term, ...noResults });
      if (scope === 'names') searchNames(term);
      else store.setState({ matches: undefined });
    },
    setScope,
    /**
     * Shows what a search of several runs found in this run. The search text is passed in memory, never in the
     * address.
     */
    adopt({ text, caseSensitive, hits, partial, current }: FoundInRun) {
      reading.stop();
      findNames([]);
      const matches = new Map<number, Hit[]>();
      for (const found of hits) addFound(matches, found);
      const status = partial ? 'limit' : 'complete';
      // The search of several runs found every hit up to its last hit, so this search can continue after that
      // hit.
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
      reading.stop();
      store.setState({ caseSensitive, ...noResults, matches: undefined });
    },
    setOnly: (only: boolean) => store.setState({ only }),
    /** Adds matching names that the worker found; `from` is the first event that it searched. */
    addNames(eventIds: readonly number[], from: number) {
      const { scope, matches, term } = store.getState();
      if (scope !== 'names' || searchWords(term).length === 0) return;
      const next = new Map(from === 1 ? [] : copy(matches));
      // Provisional events may have been replaced, starting at `from`.
      if (from > 1) for (const eventId of next.keys()) if (eventId >= from) next.delete(eventId);
      for (const eventId of eventIds) next.set(eventId, [...inNames]);
      if (from > 1 && eventIds.length === 0 && next.size === matches?.size) return;
      store.setState({ matches: next, settled: true });
      const act = onNoName;
      onNoName = undefined;
      if (next.size === 0) act?.();
    },
    /** Calls the function as soon as it is known that no name matches the text. */
    ifNoName(act: () => void) {
      const { scope, settled, matches, term } = store.getState();
      if (scope !== 'names' || searchWords(term).length === 0) return;
      if (!settled) onNoName = act;
      else if (matches?.size === 0) act();
    },
    /** Searches the run's decrypted payloads for the text. */
    searchPayloads: (given?: string) => start(undefined, given),
    /** Continues a search that stopped or reached a limit, after the last searched event. */
    resume: (given?: string) => start(store.getState().search?.after, given),
    stop() {
      reading.stop();
      store.setState(({ search }) => ({ search: stopped(search) }));
    },
    /**
     * If payloads are searched, stops the search and drops its results and term. The user may have copied the term from
     * a payload.
     */
    forgetPayloads() {
      const { scope } = store.getState();
      if (scope !== 'payloads') return;
      reading.stop();
      justification = undefined;
      store.setState({ ...noResults, matches: undefined, term: '' });
    },
    /** Hides the field, stops the search and drops its text. */
    clear() {
      reading.stop();
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
