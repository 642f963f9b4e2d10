import {
  countReason,
  MAX_FIELD_RUNS,
  type ReasonCounts,
  reasonEntries,
  type RunFieldsFrame,
} from '@temporal-kms/codec-api';
import type { FieldMap, WhatDiffers } from '@temporal-kms/histories/why';
import { createStore } from 'zustand/vanilla';
import type { PlaintextCache } from '../../payloads/reveal/plaintext-cache.ts';
import { accessToNamespace, type Reveals } from '../../payloads/reveal/reveals.ts';
import { endOf, PUBLISH_MS, type SearchStatus, whileSignedIn } from '../../search/payload-search.ts';
import { type ApiFailure, failureOf, isAbort } from '../../session/server/failure.ts';
import type { FieldsApi } from './api.ts';

/** Two sets of runs. */
export interface ComparedSets {
  readonly namespace: string;
  /** The visibility queries of the sets, without relative times. */
  readonly queries: readonly [first: string, second: string];
  /** Whether the fields of decrypted inputs and memos are compared, too. */
  readonly decoded: boolean;
}

/** What was read of a set. */
export interface ReadSet {
  /** `complete`: all runs of the set, or as many as are compared, were read. */
  readonly status: SearchStatus;
  /** The server's position after the last run. */
  readonly after: string | undefined;
  readonly runs: readonly FieldMap[];
  /** Runs that could not be read. */
  readonly failed: number;
  /** Runs with an input or memo that could not be decrypted, by reason code. */
  readonly unreadable: ReasonCounts;
  readonly kmsCalls: number;
  readonly failure?: ApiFailure | undefined;
}

export interface Comparison extends ComparedSets {
  readonly sets: readonly [first: ReadSet, second: ReadSet];
  /** Undefined until both sets were read. */
  readonly result: WhatDiffers | undefined;
}

interface ComparisonState {
  readonly comparison: Comparison | undefined;
}

const nothingRead: ReadSet = {
  status: 'running',
  after: undefined,
  runs: [],
  failed: 0,
  unreadable: {},
  kmsCalls: 0,
};

interface ComparisonsOptions {
  readonly api: FieldsApi;
  readonly reveals: Pick<Reveals, 'store' | 'onForget'>;
  readonly plaintext: Pick<PlaintextCache, 'onClear'>;
  readonly differencesOf: (first: readonly FieldMap[], second: readonly FieldMap[]) => Promise<WhatDiffers>;
}

export type Comparisons = ReturnType<typeof createComparisons>;

/**
 * Reads two sets of runs and compares their fields. Fields of inputs and memos are plaintext: they stay in memory, and leave
 * it with the other plaintext of the page.
 */
export function createComparisons({ api, reveals, plaintext, differencesOf }: ComparisonsOptions) {
  const store = createStore<ComparisonState>()(() => ({ comparison: undefined }));
  let abort: AbortController | undefined;
  let justification: string | undefined;

  async function read(known: Comparison) {
    abort?.abort();
    const own = new AbortController();
    abort = own;
    const sets: [ReadSet, ReadSet] = [resumed(known.sets[0]), resumed(known.sets[1])];
    let publishing: ReturnType<typeof setTimeout> | undefined;
    const publish = (result?: WhatDiffers) => {
      clearTimeout(publishing);
      publishing = undefined;
      if (abort === own) store.setState({ comparison: { ...known, sets: [...sets], result } });
    };
    publish();
    await Promise.all(
      ([0, 1] as const).map(async (index) => {
        if (sets[index].status !== 'running') return;
        for await (const set of readSet(api, known, index, sets[index], justification, own.signal)) {
          sets[index] = set;
          publishing ??= setTimeout(publish, PUBLISH_MS);
        }
      }),
    );
    publish();
    await compare(own);
  }

  /** Compares what was read, unless another comparison has begun. */
  async function compare(own: AbortController) {
    const { comparison } = store.getState();
    if (abort !== own || !comparison) return;
    const [first, second] = comparison.sets;
    const result = await differencesOf(first.runs, second.runs);
    if (abort === own) store.setState({ comparison: { ...comparison, result } });
  }

  function forget() {
    abort?.abort();
    abort = undefined;
    justification = undefined;
    store.setState({ comparison: undefined });
  }

  const holdsPlaintext = (namespace?: string) => {
    const { comparison } = store.getState();
    return comparison?.decoded && (namespace === undefined || namespace === comparison.namespace);
  };
  reveals.onForget((namespace) => {
    if (holdsPlaintext(namespace)) forget();
  });
  plaintext.onClear(() => {
    if (holdsPlaintext()) forget();
  });
  reveals.store.subscribe((state) => {
    const { comparison } = store.getState();
    if (comparison?.decoded && accessToNamespace(state, comparison.namespace).status !== 'open') forget();
  });

  return {
    store,
    start(sets: ComparedSets, given?: string) {
      justification = given;
      void read({ ...sets, sets: [nothingRead, nothingRead], result: undefined });
    },
    /** Continues where a set was stopped, or where it failed. */
    resume() {
      const { comparison } = store.getState();
      if (comparison) void read(comparison);
    },
    /** Stops reading, and compares what was read. */
    stop() {
      const { comparison } = store.getState();
      if (!comparison) return;
      abort?.abort();
      const own = new AbortController();
      abort = own;
      const [first, second] = comparison.sets;
      store.setState({ comparison: { ...comparison, sets: [stopped(first), stopped(second)] } });
      void compare(own);
    },
  };
}

const stopped = (set: ReadSet): ReadSet => (set.status === 'running' ? { ...set, status: 'stopped' } : set);
const resumed = (set: ReadSet): ReadSet =>
  set.status === 'complete' ? set : { ...set, status: 'running', failure: undefined };

/** Reads a set, and yields what was read so far. */
async function* readSet(
  { fields, decodeFields, renewed }: FieldsApi,
  { namespace, queries, decoded }: ComparedSets,
  index: 0 | 1,
  known: ReadSet,
  justification: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<ReadSet> {
  let set = known;
  const isFull = () => set.runs.length >= MAX_FIELD_RUNS;
  const open = (after: string | undefined) => {
    const body = {
      query: queries[index],
      runs: Math.max(MAX_FIELD_RUNS - set.runs.length, 1),
      ...(after !== undefined && { after }),
    };
    return decoded
      ? decodeFields(namespace, { ...body, ...(justification && { justification }) }, signal)
      : fields(namespace, body, signal);
  };
  const goesOn = (frame: RunFieldsFrame) =>
    frame.type === 'end' && frame.reason === 'limit' && frame.runs + frame.failed > 0 && !isFull();
  try {
    for await (const frame of whileSignedIn({ after: known.after, open, goesOn, renewed, signal })) {
      set = added(set, frame);
      if (frame.type === 'end' && !goesOn(frame) && !(frame.reason === 'signed_out' && renewed))
        set = { ...set, ...endOf(isFull() ? 'complete' : frame.reason, frame.message) };
      yield set;
    }
    if (set.status === 'running') yield { ...set, ...endOf('error', undefined) };
  } catch (error) {
    if (!isAbort(error)) yield { ...set, status: 'failed', failure: failureOf(error) };
  }
}

function added(set: ReadSet, frame: RunFieldsFrame): ReadSet {
  const { after } = frame;
  if (frame.type === 'end')
    return { ...set, after, failed: set.failed + frame.failed, kmsCalls: set.kmsCalls + frame.kmsCalls };
  if (set.runs.length >= MAX_FIELD_RUNS) return set;
  const unreadable = { ...set.unreadable };
  for (const [reason] of reasonEntries(frame.unreadable)) countReason(unreadable, reason);
  return { ...set, after, runs: [...set.runs, frame.fields], unreadable };
}
