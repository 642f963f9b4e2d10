import { MAX_FIELD_RUNS, type RunFieldsFrame } from '@temporal-kms/codec-api';
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
import { oneAtATime, stopped } from '../../search/one-at-a-time.ts';
import { hasRead, readOn } from '../../search/read-on.ts';
import { type ApiFailure, failureOf } from '../../session/server/failure.ts';
import type { FieldsApi } from './api.ts';
import {
  added,
  comparedRuns,
  fieldsOf,
  isFull,
  nothingRead,
  type ReadSet,
  type ReadSets,
  timesToMatch,
  withRunsToCompare,
} from './read-set.ts';

/** Two sets of runs. */
export interface ComparedSets {
  readonly namespace: string;
  /** The visibility queries of the sets, without relative times. */
  readonly queries: readonly [first: string, second: string];
  /** Whether the fields of decrypted inputs and memos are compared too. */
  readonly decoded: boolean;
}

export interface Comparison extends ComparedSets, Opening {
  readonly sets: ReadSets;
  /** The result; undefined until reading has ended or was stopped, and the runs have been compared. */
  readonly result?: WhatDiffers | undefined;
  /** Why the runs that were read could not be compared. */
  readonly failure?: ApiFailure | undefined;
}

interface ComparisonState {
  readonly comparison: Comparison | undefined;
}

/** Returns whether runs of a set are being read. */
export const isReading = ({ sets }: Comparison): boolean => sets.some(({ status }) => status === 'running');

/** Returns whether the person or the server stopped reading a set before its end. */
export const isPartial = ({ sets }: Comparison): boolean =>
  sets.some(({ status }) => status === 'stopped' || status === 'limit');

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
    const readSet = async (index: 0 | 1) => {
      let latest = sets[index];
      const open = (after: string | undefined) => {
        if (!mayShow(revealed.getState(), accessToNamespace, known)) forget();
        signal.throwIfAborted();
        const query = known.queries[index];
        const runs = Math.max(MAX_FIELD_RUNS - latest.runs.size, 1);
        const sample = latest.again?.sample;
        const body = { query, runs, ...(after !== undefined && { after }), ...(sample && { sample }) };
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
            sets[index] =
              now.status === 'limit' && isFull(now) ? { ...now, status: 'complete', isCut: true } : now;
            publish();
          },
        },
        signal,
      );
    };
    await Promise.all(([0, 1] as const).filter((index) => sets[index].status !== 'complete').map(readSet));
    const match = timesToMatch(sets);
    if (match && !signal.aborted) {
      const { set, sample } = match;
      const newest = sets[set];
      sets[set] = { ...nothingRead, kmsCalls: newest.kmsCalls, isCut: true, again: { sample, newest } };
      await readSet(set);
    }
    const [a, b] = sets;
    sets.splice(0, 2, withRunsToCompare(a, b), withRunsToCompare(b, a));
    if (!signal.aborted) publish();
    await compare(signal);
  }

  /** Compares the runs that have been read, unless another comparison has begun. */
  async function compare(signal: AbortSignal) {
    const { comparison } = store.getState();
    if (signal.aborted || !comparison) return;
    const [first, second] = comparedRuns(comparison.sets);
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
