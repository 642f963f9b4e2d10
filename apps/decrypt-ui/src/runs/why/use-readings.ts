import { partsOfRef, type PayloadRef, type PayloadStub } from '@temporal-kms/codec-api';
import type { Reading, ReadPayload } from '@temporal-kms/histories/why';
import { useEffect, useMemo } from 'react';
import { useStore } from 'zustand';
import type { PayloadState } from '../../payloads/decoder-store.ts';
import { isUnreadable } from '../../payloads/payload-keys.ts';
import { usePayloads, usePayloadsInView } from '../../payloads/payloads-context.tsx';
import { useRevealed } from '../../payloads/reveal/reveals-context.tsx';
import { accessTo } from '../../payloads/reveal/reveals.ts';
import { interpret, valueOf, valuesStore } from '../../payloads/value/interpret.ts';
import { useRun } from '../run/run-context.tsx';

const locked: Reading = { status: 'locked' };

/** Returns what an explanation may read of a payload, given the payload's state. */
export function readingOf(state: PayloadState, stub: PayloadStub | undefined): Reading {
  if (state.status !== 'answered') {
    // The server knows without decrypting that some payloads are unreadable.
    const reason = stub?.reason;
    return isUnreadable(reason) ? { status: 'unreadable', reason } : locked;
  }
  const { result } = state;
  if (!result.ok) {
    // If a payload of the description has been replaced, the next description contains the new payload.
    const isOutOfDate = partsOfRef(result.ref).eventId === 0 && result.reason === 'event_not_found';
    return isOutOfDate ? locked : { status: 'unreadable', reason: result.reason };
  }
  const value = valueOf(result.payload);
  if (value === undefined) return locked;
  if (value.kind === 'json') return { status: 'readable', value: value.value };
  return { status: 'readable', value: value.kind === 'text' ? value.text : undefined };
}

/**
 * Why the card cannot show a payload yet: it is loading, the person has not revealed it, the person lacks the
 * permission, or the person has not asked to read it from external storage.
 */
type Lock = 'waiting' | 'locked' | 'refused' | 'stored';

export interface Readings {
  /** Reads a payload. `read` is a new function whenever a payload becomes readable or is hidden. */
  readonly read: ReadPayload;
  /** Returns the current lock of a payload: a reveal may have ended since the card was rendered. */
  readonly lockOf: (ref: PayloadRef) => Lock | undefined;
}

/**
 * Keeps payloads in view while the component is mounted, so that the decoder requests those that are open.
 * Returns functions that read the payloads.
 */
export function useReadings(refs: readonly PayloadRef[]): Readings {
  const { decoder, place } = usePayloads();
  const { stub } = useRun();
  const viewed = usePayloadsInView(decoder, refs);
  // The card must drop a payload when it is locked, even if no answer has changed.
  const access = useRevealed((state) => viewed.map((ref) => accessTo(state, place(ref)).status).join(' '));
  const answers = useStore(decoder.store, () => viewed.map((ref) => summaryOf(decoder.state(ref))).join(' '));
  const values = useStore(valuesStore);
  useEffect(() => {
    const stops = viewed.map((ref) => {
      const state = decoder.state(ref);
      return state.status === 'answered' && state.result.ok ? interpret(state.result.payload) : undefined;
    });
    return () => {
      for (const stop of stops) stop?.();
    };
  }, [decoder, viewed, answers]);
  return useMemo(
    () => ({
      read: (ref) => readingOf(decoder.state(ref), stub(ref)),
      lockOf: (ref) => {
        const { status } = decoder.state(ref);
        return status === 'answered' || status === 'failed' ? undefined : status;
      },
    }),
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- the functions' results change with the stores
    [decoder, stub, viewed, access, answers, values],
  );
}

const summaryOf = (state: PayloadState): string =>
  state.status === 'answered' && !state.result.ok ? state.result.reason : state.status;
