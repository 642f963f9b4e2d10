import type { EndReason, ReasonCounts, SearchFrame, SearchHit, SearchRequest } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import { ApiFailure, isAbort } from '../api/failure.ts';
import { type Hit, type Matches, searchWords } from '../model/find.ts';

/** What a search in payloads has covered, and whether it continues. */
export interface PayloadSearch {
  /** `limit`: the server reached a limit on time, hits or cost; `resume` continues. */
  readonly status: 'running' | 'complete' | 'limit' | 'stopped' | 'failed';
  /** The text that is searched. The field may contain another text already. */
  readonly text: string;
  /** The last event that was searched. */
  readonly after: number | undefined;
  /** How many events the run had when the search began; undefined until the server reports it. */
  readonly of: number | undefined;
  readonly events: number;
  readonly payloads: number;
  readonly bytes: number;
  readonly kmsCalls: number;
  /** Payloads that were not searched, by reason code. */
  readonly unreadable: ReasonCounts;
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
  /** The places in payloads in the order in which they were found: the newest event first. */
  readonly hits: readonly SearchHit[];
  /** The place in `hits` to which the reader has jumped. */
  readonly current: number | undefined;
  readonly search: PayloadSearch | undefined;
}

export interface FindOptions {
  /** Searches names; the results arrive through `addNames`. */
  readonly findNames: (words: readonly string[]) => void;
  readonly searchPayloads: (request: SearchRequest, signal: AbortSignal) => AsyncIterable<SearchFrame>;
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
  hits: [],
  current: undefined,
  search: undefined,
};

/** Forgets the results of a search. */
const noResults = { hits: [], current: undefined, search: undefined } as const;

const nothingSearched = {
  after: undefined,
  of: undefined,
  events: 0,
  payloads: 0,
  bytes: 0,
  kmsCalls: 0,
  unreadable: {},
} as const;

/** Least milliseconds between two updates, so that a search with many hits does not block the page. */
const SETTLE = 100;

/** The search in one run: its text, its progress and its hits. The text never leaves memory, except in a request's body. */
export function createFind({ findNames, searchPayloads }: FindOptions) {
  const store = createStore<FindState>()(() => initial);
  let abort: AbortController | undefined;

  function stop(status: 'stopped' | undefined) {
    abort?.abort();
    abort = undefined;
    const { search } = store.getState();
    if (search?.status === 'running' && status) store.setState({ search: { ...search, status } });
  }

  function searchNames(term: string) {
    const words = searchWords(term);
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
    const base = request.after === undefined ? nothingSearched : (before.search ?? nothingSearched);
    let search: PayloadSearch = { ...base, status: 'running', text: request.text, failure: undefined };
    let published = 0;
    const publish = () => {
      if (abort !== own) return;
      published = performance.now();
      store.setState({ search, hits: [...hits], matches: new Map(matches) });
    };
    publish();
    try {
      for await (const frame of searchPayloads(request, own.signal)) {
        if (frame.type === 'hit') {
          hits.push(frame);
          matches.set(frame.eventId, [
            ...(matches.get(frame.eventId) ?? []),
            { in: 'payload', found: frame },
          ]);
        } else {
          search = { ...search, ...sum(base, frame), ...(frame.type === 'progress' && { of: frame.of }) };
          if (frame.type === 'end') search = { ...search, ...endOf(frame.reason, frame.message) };
          // Hits are published with the progress that covers them, so that a search that continues repeats none.
          if (frame.type === 'end' || performance.now() - published > SETTLE) publish();
        }
      }
      if (search.status === 'running') search = { ...search, ...endOf('error', undefined) };
    } catch (error) {
      if (isAbort(error)) return;
      const failure = error instanceof ApiFailure ? error : new ApiFailure('unexpected', String(error));
      search = { ...search, status: 'failed', failure };
    }
    publish();
    if (abort === own) abort = undefined;
  }

  function start(after: number | undefined, justification: string | undefined) {
    const { term, caseSensitive } = store.getState();
    if (term.trim() === '') return;
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
      store.setState({ matches: next });
    },
    /** Searches the run's decrypted payloads for the text. */
    searchPayloads: (justification?: string) => start(undefined, justification),
    /** Continues a search that stopped or reached a limit, after the last event that was searched. */
    resume: (justification?: string) => start(store.getState().search?.after, justification),
    stop: () => stop('stopped'),
    /** Hides the field, ends the search and forgets its text. */
    clear() {
      stop(undefined);
      findNames([]);
      store.setState(initial);
    },
  };
}

const copy = (matches: Matches | undefined): [number, Hit[]][] =>
  [...(matches ?? [])].map(([eventId, hits]) => [eventId, [...hits]]);

type Counts = Pick<PayloadSearch, 'events' | 'payloads' | 'bytes' | 'kmsCalls' | 'unreadable'>;

/** Adds what this request has searched to what earlier requests of the same search had. */
function sum(base: Counts, frame: Counts & { readonly after: number }) {
  const unreadable: ReasonCounts = { ...base.unreadable };
  for (const [reason, count] of Object.entries(frame.unreadable)) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of ReasonCounts are reason codes
    const key = reason as keyof ReasonCounts;
    unreadable[key] = (unreadable[key] ?? 0) + count;
  }
  return {
    after: frame.after,
    events: base.events + frame.events,
    payloads: base.payloads + frame.payloads,
    bytes: base.bytes + frame.bytes,
    kmsCalls: base.kmsCalls + frame.kmsCalls,
    unreadable,
  };
}

function endOf(reason: EndReason, message: string | undefined): Pick<PayloadSearch, 'status' | 'failure'> {
  if (reason === 'complete') return { status: 'complete' };
  if (reason === 'limit' || reason === 'shutdown') return { status: 'limit' };
  const code = reason === 'signed_out' ? 'unauthenticated' : 'internal';
  return {
    status: 'failed',
    failure: new ApiFailure(code, message ?? 'The codec server’s answer ended early.'),
  };
}
