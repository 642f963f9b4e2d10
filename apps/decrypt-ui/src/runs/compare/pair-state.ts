import type { JsonPayload } from '@temporal-kms/codec-api';
import { useMemo } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { DecoderState, PayloadState } from '../../payloads/decoder-store.ts';
import { comparableLines } from '../../payloads/diff/comparable.ts';
import { usePayloadsInView } from '../../payloads/payloads-context.tsx';
import { useRevealed } from '../../payloads/reveal/reveals-context.tsx';
import { payloadValue } from '../../payloads/value/payload-value.ts';
import type { PayloadPair, PlacedPayload } from './run-alignment.ts';

/** What is known about the payloads of a step in two runs. */
export interface PairCounts {
  readonly equal: number;
  readonly different: number;
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

/** Decodes the payloads of a step in both runs, as far as they are open, and counts which differ. */
export function usePairCounts(pairs: readonly PayloadPair[]): PairCounts {
  const both = pairs.filter((pair) => pair.left && pair.right);
  const first = useKnown(both.flatMap((pair) => pair.left ?? []));
  const second = useKnown(both.flatMap((pair) => pair.right ?? []));
  return useMemo(() => {
    const counts = { equal: 0, different: 0, hidden: 0, unreadable: 0, waiting: 0, single: 0 };
    for (const [index, one] of first.entries()) counts[verdict(one, second[index] ?? 'waiting')] += 1;
    return { ...counts, single: pairs.length - first.length };
  }, [first, second, pairs.length]);
}

function verdict(one: Known, other: Known): 'equal' | 'different' | 'hidden' | 'unreadable' | 'waiting' {
  for (const state of ['hidden', 'waiting', 'unreadable'] as const)
    if (one === state || other === state) return state;
  if (typeof one === 'string' || typeof other === 'string') return 'waiting';
  return isEqual(one, other) ? 'equal' : 'different';
}

/** Larger payloads are equal only if their bytes are: to lay out their JSON would make the page wait. */
const MAX_PARSED = 100_000;

/** Whether two payloads have the same value. The order of members in JSON makes no difference. */
function isEqual(one: JsonPayload, other: JsonPayload): boolean {
  if (one.data === other.data) return true;
  if (one.data.length + other.data.length > MAX_PARSED) return false;
  const [a, b] = [payloadValue(one), payloadValue(other)];
  return (
    a.kind === 'json' && b.kind === 'json' && comparableLines(a).join('\n') === comparableLines(b).join('\n')
  );
}
