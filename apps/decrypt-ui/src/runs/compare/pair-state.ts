import type { JsonPayload } from '@temporal-kms/codec-api';
import { useMemo } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { DecoderState, PayloadState } from '../../payloads/decoder-store.ts';
import { usePayloadsInView } from '../../payloads/payloads-context.tsx';
import { useRevealed } from '../../payloads/reveal/reveals-context.tsx';
import { payloadValue } from '../../payloads/value/payload-value.ts';
import { formatBytes } from '../../ui/format/number.ts';
import type { PayloadPair, PlacedPayload } from './run-alignment.ts';
import { type Difference, valueDifferences } from './value-differences.ts';

/** A difference of the payloads at one place of a step. */
export interface PlacedDifference extends Difference {
  /** What the page calls the payloads: `Input`. */
  readonly title: string;
}

/** What is known about the payloads of a step in two runs. */
export interface PairStates {
  readonly differences: readonly PlacedDifference[];
  /** Locked, or not permitted. */
  readonly hidden: number;
  readonly unreadable: number;
  readonly waiting: number;
  /** Places that only one of the runs has. */
  readonly single: number;
}

type Known = 'hidden' | 'waiting' | 'unreadable' | JsonPayload;

const waiting: PayloadState = { status: 'waiting' };
const unknown = createStore<Pick<DecoderState, 'payloads'>>()(() => ({ payloads: new Map() }));

/** Keeps payloads of a run in view, and returns what its decoder knows about each. */
function useKnown(placed: readonly PlacedPayload[]): readonly Known[] {
  const decoder = placed[0]?.scope.payloads.decoder;
  const viewed = usePayloadsInView(
    decoder,
    placed.map(({ stub }) => stub.ref),
  );
  const { payloads } = useStore(decoder?.store ?? unknown);
  const grants = useRevealed((state) => state);
  return useMemo(
    () =>
      viewed.map((ref) => {
        const state = decoder?.state(ref) ?? waiting;
        if (state.status === 'answered') return state.result.ok ? state.result.payload : 'unreadable';
        if (state.status === 'failed') return 'unreadable';
        return state.status === 'waiting' ? 'waiting' : 'hidden';
      }),
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- the state of the decoder depends on both
    [decoder, viewed, payloads, grants],
  );
}

/** Decodes the payloads of a step in both runs, as far as they are open, and finds where they differ. */
export function usePairStates(pairs: readonly PayloadPair[]): PairStates {
  const both = useMemo(() => pairs.filter((pair) => pair.left && pair.right), [pairs]);
  const first = useKnown(both.flatMap((pair) => pair.left ?? []));
  const second = useKnown(both.flatMap((pair) => pair.right ?? []));
  return useMemo(() => {
    const counts = { hidden: 0, unreadable: 0, waiting: 0 };
    const differences: PlacedDifference[] = [];
    for (const [index, { title }] of both.entries()) {
      const [one = 'waiting', other = 'waiting'] = [first[index], second[index]];
      if (typeof one !== 'string' && typeof other !== 'string')
        differences.push(...differencesOf(one, other).map((difference) => ({ title, ...difference })));
      else counts[stateOf(one, other)] += 1;
    }
    return { ...counts, differences, single: pairs.length - both.length };
  }, [first, second, both, pairs.length]);
}

/** Why two payloads cannot be compared. */
const stateOf = (one: Known, other: Known): 'hidden' | 'waiting' | 'unreadable' =>
  (['hidden', 'waiting', 'unreadable'] as const).find((state) => one === state || other === state) ??
  'waiting';

/** Larger payloads are equal only if their bytes are: to parse their JSON would make the page wait. */
const MAX_PARSED = 100_000;

function differencesOf(one: JsonPayload, other: JsonPayload): readonly Difference[] {
  if (one.data === other.data) return [];
  if (one.data.length + other.data.length > MAX_PARSED) {
    const [left, right] = [one, other].map(({ data }) => formatBytes(Math.floor((data.length * 3) / 4)));
    return [{ path: '', left: left ?? '', right: right ?? '' }];
  }
  return valueDifferences(payloadValue(one), payloadValue(other));
}
