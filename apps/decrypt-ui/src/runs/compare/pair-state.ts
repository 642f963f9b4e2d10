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

/** A difference between the payloads at the same place in a step. */
export interface PlacedDifference extends Difference {
  /** The page's title for the payloads: `Input`. */
  readonly title: string;
}

/** How a step's payloads differ between two runs, and how many cannot be compared, by reason. */
export interface PairStates {
  readonly differences: readonly PlacedDifference[];
  /** Number of places where a payload is locked, or the person lacks the permission to decode it. */
  readonly hidden: number;
  /** Number of places where a payload is in external storage and the person has not asked to read it. */
  readonly stored: number;
  readonly unreadable: number;
  readonly waiting: number;
  /** Number of places that only one of the runs has. */
  readonly single: number;
}

const unknowns = ['hidden', 'stored', 'waiting', 'unreadable'] as const;
/** Why a payload cannot be compared. */
type Unknown = (typeof unknowns)[number];
type Known = Unknown | JsonPayload;

const waiting: PayloadState = { status: 'waiting' };
const unknown = createStore<Pick<DecoderState, 'payloads' | 'asked'>>()(() => ({
  payloads: new Map(),
  asked: new Set(),
}));

/** Keeps a run's payloads in view, and returns what the run's decoder knows about each payload. */
function useKnown(placed: readonly PlacedPayload[]): readonly Known[] {
  const decoder = placed[0]?.scope.payloads.decoder;
  const viewed = usePayloadsInView(
    decoder,
    placed.map(({ stub }) => stub.ref),
  );
  const { payloads, asked } = useStore(decoder?.store ?? unknown);
  const grants = useRevealed((state) => state);
  return useMemo(
    () =>
      viewed.map((ref) => {
        const state = decoder?.state(ref) ?? waiting;
        if (state.status === 'answered') return state.result.ok ? state.result.payload : 'unreadable';
        if (state.status === 'failed') return 'unreadable';
        return state.status === 'waiting' || state.status === 'stored' ? state.status : 'hidden';
      }),
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- `decoder.state` reads the stores behind these values
    [decoder, viewed, payloads, asked, grants],
  );
}

/** Decodes a step's open payloads in both runs, and finds where they differ. */
export function usePairStates(pairs: readonly PayloadPair[]): PairStates {
  const both = useMemo(() => pairs.filter(mayDiffer), [pairs]);
  const first = useKnown(both.flatMap((pair) => pair.left ?? []));
  const second = useKnown(both.flatMap((pair) => pair.right ?? []));
  return useMemo(() => {
    const counts = { hidden: 0, stored: 0, unreadable: 0, waiting: 0 };
    const differences: PlacedDifference[] = [];
    for (const [index, pair] of both.entries()) {
      const [one = 'waiting', other = 'waiting'] = [first[index], second[index]];
      if (typeof one !== 'string' && typeof other !== 'string')
        differences.push(...pairDifferences(pair, one, other));
      else counts[stateOf(one, other)] += 1;
    }
    const single = pairs.filter(({ left, right }) => !left || !right).length;
    return { ...counts, differences, single };
  }, [first, second, both, pairs]);
}

/**
 * Returns whether both runs have a payload at this place. Does not compare hashes, because the hash of a reference proves
 * nothing about its object.
 */
const mayDiffer = ({ left, right }: PayloadPair): boolean => left !== undefined && right !== undefined;

/** Returns why two payloads cannot be compared. */
const stateOf = (one: Known, other: Known): Unknown =>
  unknowns.find((state) => one === state || other === state) ?? 'waiting';

/**
 * Returns where the payloads at the same place differ. In a local activity's record, compares only the attempt,
 * because clock times and sequence numbers differ in every run.
 */
export const pairDifferences = (
  { title, isRecord }: Pick<PayloadPair, 'title' | 'isRecord'>,
  one: JsonPayload,
  other: JsonPayload,
): PlacedDifference[] =>
  differencesOf(one, other)
    .filter(({ path }) => !isRecord || path === 'attempt')
    .map((difference) => ({ title, ...difference }));

/** Larger payloads count as equal only if their bytes are equal: parsing their JSON would block the page. */
const MAX_PARSED = 100_000;

function differencesOf(one: JsonPayload, other: JsonPayload): readonly Difference[] {
  if (one.data === other.data) return [];
  if (one.data.length + other.data.length > MAX_PARSED) {
    const [left, right] = [one, other].map(({ data }) => formatBytes(Math.floor((data.length * 3) / 4)));
    return [{ path: '', left: left ?? '', right: right ?? '' }];
  }
  return valueDifferences(payloadValue(one), payloadValue(other));
}
