import { MAX_FIELD_RUNS, reasonEntries, type RunFieldsFrame } from '@temporal-kms/codec-api';
import type { FieldMap, WhatDiffers } from '@temporal-kms/histories/why';
import { createStore } from 'zustand/vanilla';
import type { PlaintextCache } from '../../payloads/reveal/plaintext-cache.ts';
import {
  accessToNamespace,
  type Grant,
  type Reveals,
  type RevealsState,
} from '../../payloads/reveal/reveals.ts';
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
  /** The fields of the runs, by run id: the server may repeat runs when it continues a list that has changed. */
  readonly runs: ReadonlyMap<string, FieldMap>;
  /** Runs that could not be read. */
  readonly failed: number;
  /** Payloads that could not be decrypted or parsed. */
  readonly unreadable: number;
  readonly kmsCalls: number;
  readonly failure?: ApiFailure | undefined;
}

export interface Comparison extends ComparedSets {
  /** The id of the reveal for which payloads are decrypted; undefined if the namespace reveals automatically. */
  readonly grant: string | undefined;
  readonly sets: readonly [first: ReadSet, second: ReadSet];
  /** Undefined until both sets were read. */
  readonly result?: WhatDiffers | undefined;
  /** Why the sets could be read but not compared. */
  readonly failure?: ApiFailure | undefined;
}

interface ComparisonState {
  readonly comparison: Comparison | undefined;
}

/** Whether runs of a set are being read. */
export const isReading = ({ sets }: Comparison): boolean => sets.some(({ status }) => status === 'running');

export const fieldsOf = ({ runs }: ReadSet): readonly FieldMap[] => [...runs.values()];

/** Returns the reveal for which a comparison decrypts payloads, unless the reveal has ended. */
export const grantOf = ({ grants }: RevealsState, { grant }: Comparison): Grant | undefined =>
  grants.find(({ id, until }) => id === grant && until > Date.now());

const nothingRead: ReadSet = {
  status: 'running',
  after: undefined,
  runs: new Map(),
  failed: 0,
  unreadable: 0,
  kmsCalls: 0,
};

interface ComparisonsOptions {
  readonly api: FieldsApi;
  readonly reveals: Pick<Reveals, 'store' | 'onForget'>;
  readonly plaintext: Pick<PlaintextCache, 'onClear'>;
  readonly differencesOf: (
    first: readonly FieldMap[],
    second: readonly FieldMap[],
    signal: AbortSignal,
  ) => Promise<WhatDiffers>;
}

export type Comparisons = ReturnType<typeof createComparisons>;

/**
 * Reads two sets of runs and compares their fields. Fields of inputs and memos are plaintext: they stay in memory, and leave
 * it with the reveal for which they were decrypted, or with the other plaintext of the page.
 */
export function createComparisons({ api, reveals, plaintext, differencesOf }: ComparisonsOptions) {
  const store = createStore<ComparisonState>()(() => ({ comparison: undefined }));
  let abort: AbortController | undefined;

  async function read(known: Comparison) {
    abort?.abort();
    const own = new AbortController();
    abort = own;
    const sets: [ReadSet, ReadSet] = [resumed(known.sets[0]), resumed(known.sets[1])];
    let publishing: ReturnType<typeof setTimeout> | undefined;
    const publish = () => {
      clearTimeout(publishing);
      publishing = undefined;
      if (abort !== own) return;
      store.setState({ comparison: { ...known, sets: [...sets], result: undefined, failure: undefined } });
    };
    /** Returns the justification for the next request. Forgets the comparison if its reveal has ended. */
    const justification = () => {
      if (!mayShow(known)) forget();
      own.signal.throwIfAborted();
      return grantOf(reveals.store.getState(), known)?.justification;
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
    let outcome: Pick<Comparison, 'result' | 'failure'>;
    try {
      outcome = { result: await differencesOf(fieldsOf(first), fieldsOf(second), own.signal) };
    } catch (error) {
      outcome = { failure: failureOf(error) };
    }
    if (abort === own) store.setState({ comparison: { ...comparison, ...outcome } });
  }

  function forget() {
    abort?.abort();
    abort = undefined;
    store.setState({ comparison: undefined });
  }

  /** Whether the page may show a comparison, and continue it. Another reveal has another justification. */
  function mayShow(comparison: Comparison): boolean {
    if (!comparison.decoded) return true;
    const state = reveals.store.getState();
    return (
      accessToNamespace(state, comparison.namespace).status === 'open' &&
      (comparison.grant === undefined || grantOf(state, comparison) !== undefined)
    );
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
  reveals.store.subscribe(() => {
    const { comparison } = store.getState();
    if (comparison && !mayShow(comparison)) forget();
  });

  return {
    store,
    /** Compares two sets. With payloads, call it only while the namespace is revealed. */
    start(sets: ComparedSets) {
      const access = accessToNamespace(reveals.store.getState(), sets.namespace);
      const grant = sets.decoded && access.status === 'open' ? access.grant?.id : undefined;
      void read({ ...sets, grant, sets: [nothingRead, nothingRead] });
    },
    /** Continues where a set was stopped, or where it failed. */
    resume() {
      const { comparison } = store.getState();
      if (comparison) void read(comparison);
    },
    /** Stops reading, and compares what was read. */
    stop() {
      const { comparison } = store.getState();
      if (!comparison || !isReading(comparison)) return;
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
  justificationNow: () => string | undefined,
  signal: AbortSignal,
): AsyncGenerator<ReadSet> {
  let set = known;
  const isFull = () => set.runs.size >= MAX_FIELD_RUNS;
  const open = (after: string | undefined) => {
    const body = {
      query: queries[index],
      runs: Math.max(MAX_FIELD_RUNS - set.runs.size, 1),
      ...(after !== undefined && { after }),
    };
    if (!decoded) return fields(namespace, body, signal);
    const justification = justificationNow();
    return decodeFields(namespace, { ...body, ...(justification && { justification }) }, signal);
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
  if (set.runs.size >= MAX_FIELD_RUNS || set.runs.has(frame.runId)) return { ...set, after };
  const unreadable = reasonEntries(frame.unreadable).reduce((sum, [, count]) => sum + count, set.unreadable);
  return { ...set, after, runs: new Map(set.runs).set(frame.runId, frame.fields), unreadable };
}
