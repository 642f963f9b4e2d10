import { MAX_FIELD_RUNS, reasonEntries, type RunFieldsFrame } from '@temporal-kms/codec-api';
import type { FieldMap, WhatDiffers } from '@temporal-kms/histories/why';
import { createStore } from 'zustand/vanilla';
import { accessToNamespace } from '../../payloads/reveal/reveals.ts';
import {
  grantOf,
  type HiddenWith,
  mayShow,
  type Opening,
  openingOf,
  whenHidden,
} from '../../payloads/reveal/when-hidden.ts';
import { oneAtATime, type Progress, stopped } from '../../search/one-at-a-time.ts';
import { hasRead, readOn } from '../../search/read-on.ts';
import { type ApiFailure, failureOf } from '../../session/server/failure.ts';
import type { FieldsApi } from './api.ts';

/** Two sets of runs. */
export interface ComparedSets {
  readonly namespace: string;
  /** The visibility queries of the sets, without relative times. */
  readonly queries: readonly [first: string, second: string];
  /** Whether the fields of decrypted inputs and memos are compared, too. */
  readonly decoded: boolean;
}

/**
 * What has been read of a set. `complete` means that all runs of the set have been read, or as many as a
 * comparison uses.
 */
export interface ReadSet extends Progress<string> {
  /** The fields of the runs by run id, because the server may repeat runs when it continues a list that has changed. */
  readonly runs: ReadonlyMap<string, FieldMap>;
  /** Number of runs that could not be read. */
  readonly failed: number;
  /** Number of payloads that could not be decrypted or parsed. */
  readonly unreadable: number;
  readonly kmsCalls: number;
}

export interface Comparison extends ComparedSets, Opening {
  readonly sets: readonly [first: ReadSet, second: ReadSet];
  /** The result; undefined until both sets have been read. */
  readonly result?: WhatDiffers | undefined;
  /** Why the sets could be read but not compared. */
  readonly failure?: ApiFailure | undefined;
}

interface ComparisonState {
  readonly comparison: Comparison | undefined;
}

/** Returns whether runs of a set are being read. */
export const isReading = ({ sets }: Comparison): boolean => sets.some(({ status }) => status === 'running');

const isFull = ({ runs }: ReadSet): boolean => runs.size >= MAX_FIELD_RUNS;

export const fieldsOf = ({ runs }: ReadSet): readonly FieldMap[] => [...runs.values()];

const nothingRead: ReadSet = {
  status: 'running',
  after: undefined,
  runs: new Map(),
  failed: 0,
  unreadable: 0,
  kmsCalls: 0,
};

interface ComparisonsOptions extends HiddenWith {
  readonly api: FieldsApi;
  readonly differencesOf: (
    first: readonly FieldMap[],
    second: readonly FieldMap[],
    signal: AbortSignal,
  ) => Promise<WhatDiffers>;
}

export type Comparisons = ReturnType<typeof createComparisons>;

/**
 * Reads two sets of runs and compares their fields. Fields of inputs and memos are plaintext, so they are kept
 * only in memory. These fields are dropped when the reveal for which they were decrypted ends, or when the
 * page drops all plaintext.
 */
export function createComparisons({ api, differencesOf, ...source }: ComparisonsOptions) {
  const store = createStore<ComparisonState>()(() => ({ comparison: undefined }));
  const reading = oneAtATime();
  const revealed = source.reveals.store;

  async function read(known: Comparison) {
    const signal = reading.begin();
    const sets: [ReadSet, ReadSet] = [...known.sets];
    const publish = () =>
      store.setState({ comparison: { ...known, sets: [...sets], result: undefined, failure: undefined } });
    publish();
    const indices = ([0, 1] as const).filter((index) => sets[index].status !== 'complete');
    await Promise.all(
      indices.map(async (index) => {
        let latest = sets[index];
        const open = (after: string | undefined) => {
          if (!mayShow(revealed.getState(), accessToNamespace, known)) forget();
          signal.throwIfAborted();
          const query = known.queries[index];
          const runs = Math.max(MAX_FIELD_RUNS - latest.runs.size, 1);
          const body = { query, runs, ...(after !== undefined && { after }) };
          if (!known.decoded) return api.fields(known.namespace, body, signal);
          const justification = grantOf(revealed.getState(), known)?.justification;
          return api.decodeFields(
            known.namespace,
            { ...body, ...(justification && { justification }) },
            signal,
          );
        };
        await readOn<string, RunFieldsFrame, ReadSet>(
          {
            known: latest,
            open,
            add: (now, frame) => {
              latest = added(now, frame);
              return latest;
            },
            goesOn: (end) => hasRead(end) && !isFull(latest),
            renewed: api.renewed,
            publish: (now) => {
              sets[index] = now.status === 'limit' && isFull(now) ? { ...now, status: 'complete' } : now;
              publish();
            },
          },
          signal,
        );
      }),
    );
    await compare(signal);
  }

  /** Compares the runs that have been read, unless another comparison has begun. */
  async function compare(signal: AbortSignal) {
    const { comparison } = store.getState();
    if (signal.aborted || !comparison) return;
    const [first, second] = comparison.sets;
    let outcome: Pick<Comparison, 'result' | 'failure'>;
    try {
      outcome = { result: await differencesOf(fieldsOf(first), fieldsOf(second), signal) };
    } catch (error) {
      outcome = { failure: failureOf(error) };
    }
    if (!signal.aborted) store.setState({ comparison: { ...comparison, ...outcome } });
  }

  function forget() {
    reading.stop();
    store.setState({ comparison: undefined });
  }

  whenHidden(source, accessToNamespace, () => store.getState().comparison, forget);

  return {
    store,
    /** Compares two sets. To compare payloads, call this method only while the namespace is revealed. */
    start(sets: ComparedSets) {
      const { grant } = openingOf(source, accessToNamespace, sets.namespace);
      void read({ ...sets, grant: sets.decoded ? grant : undefined, sets: [nothingRead, nothingRead] });
    },
    /** Continues where reading was stopped or failed. */
    resume() {
      const { comparison } = store.getState();
      if (comparison) void read(comparison);
    },
    /** Stops reading, and compares the runs that have been read. */
    stop() {
      const { comparison } = store.getState();
      if (!comparison || !isReading(comparison)) return;
      const signal = reading.begin();
      const [first, second] = comparison.sets;
      store.setState({ comparison: { ...comparison, sets: [stopped(first), stopped(second)] } });
      void compare(signal);
    },
  };
}

function added(set: ReadSet, frame: RunFieldsFrame): ReadSet {
  const { after } = frame;
  if (frame.type === 'end')
    return { ...set, failed: set.failed + frame.failed, kmsCalls: set.kmsCalls + frame.kmsCalls };
  if (isFull(set) || set.runs.has(frame.runId)) return { ...set, after };
  const unreadable = reasonEntries(frame.unreadable).reduce((sum, [, count]) => sum + count, set.unreadable);
  return { ...set, after, runs: new Map(set.runs).set(frame.runId, frame.fields), unreadable };
}
