import {
  type JsonPayload,
  partsOfRef,
  type PayloadRef,
  type PayloadStub,
  type ReasonCode,
} from '@temporal-kms/codec-api';
import { type ReactNode, useCallback, useEffect, useLayoutEffect, useMemo, useRef } from 'react';
import { useStore } from 'zustand';
import { requiredContext } from '../ui/required-context.ts';
import type { Decoder, Payloads } from './decoder.ts';
import { type Findings, isUnreadable, reasonOf } from './payload-keys.ts';
import { useRevealed } from './reveal/reveals-context.tsx';
import { accessTo } from './reveal/reveals.ts';
import { interpret, valueOf, valuesStore } from './value/interpret.ts';
import type { PayloadValue } from './value/payload-value.ts';

const [Context, usePayloads] = requiredContext<Payloads>('PayloadsProvider');
export { usePayloads };

/** Provides a run's payloads. */
export function PayloadsProvider({ payloads, children }: { payloads: Payloads; children: ReactNode }) {
  return <Context value={payloads}>{children}</Context>;
}

export const useDecoder = (): Decoder => usePayloads().decoder;

/** Returns what decoding has added to the payloads' stubs so far. */
export function useFindings(): Findings {
  return useStore(useDecoder().store, ({ findings }) => findings);
}

/** Returns whether at least one of the payloads is locked. The person can then reveal the payload. */
export function useSomeLocked(refs: readonly PayloadRef[]): boolean {
  const { place } = usePayloads();
  return useRevealed((state) => refs.some((ref) => accessTo(state, place(ref)).status === 'locked'));
}

/**
 * Returns when the page hides the last of the payloads again, in milliseconds since 1970; undefined if none is open
 * for a limited time, or if a request for one of them failed.
 */
export function useOpenUntil(refs: readonly PayloadRef[]): number | undefined {
  const { place, decoder } = usePayloads();
  const failed = useStore(decoder.store, ({ payloads }) =>
    refs.some((ref) => payloads.get(ref)?.status === 'failed'),
  );
  const until = useRevealed((state) => {
    const ends = refs.flatMap((ref) => {
      const access = accessTo(state, place(ref));
      return access.status === 'open' && access.grant ? access.grant.until : [];
    });
    const last = Math.max(...ends);
    return Number.isFinite(last) ? last : undefined;
  });
  return failed ? undefined : until;
}

/** What a component can show of a payload. */
export type PayloadView =
  | { readonly status: 'waiting' }
  /**
   * The payload is not requested, because the person lacks the permission, has not revealed the payload, or
   * has not asked to read it from external storage.
   */
  | { readonly status: 'refused' | 'locked' | 'stored' }
  | { readonly status: 'readable'; readonly value: PayloadValue; readonly payload: JsonPayload }
  | { readonly status: 'unreadable'; readonly reason: ReasonCode; readonly message?: string }
  /** The whole request failed. */
  | { readonly status: 'failed'; readonly message: string; readonly forbidden: boolean };

/**
 * Returns a function that reads a payload for a user's action, such as copying. That function returns
 * undefined if the payload must be hidden by now, even if it is still on the screen because a timer is late.
 */
export function useReadPayload(): (ref: PayloadRef) => JsonPayload | undefined {
  const { decoder } = usePayloads();
  return useCallback(
    (ref) => {
      const state = decoder.state(ref);
      return state.status === 'answered' && state.result.ok ? state.result.payload : undefined;
    },
    [decoder],
  );
}

const waiting: PayloadView = { status: 'waiting' };
const closed = {
  refused: { status: 'refused' },
  locked: { status: 'locked' },
  stored: { status: 'stored' },
} as const;
/** Caches the view of each decoded payload for as long as the payload's value exists. */
const views = new WeakMap<PayloadValue, PayloadView>();

/**
 * Calls `enter` before the browser paints the component, so that its payloads are requested early. After the browser has
 * painted without the component, calls the function that `enter` returned, so that the stores change in a separate task.
 */
function useInView(enter: (() => () => void) | undefined) {
  const entered = useRef<() => void>(undefined);
  useLayoutEffect(() => {
    entered.current = enter?.();
  }, [enter]);
  useEffect(() => {
    if (!enter) return undefined;
    const leave = entered.current;
    return () => leave?.();
  }, [enter]);
}

/** Keeps payloads in view while the component is mounted. Returns the same array until the refs change. */
export function usePayloadsInView(
  decoder: Decoder | undefined,
  refs: readonly PayloadRef[],
): readonly PayloadRef[] {
  const joined = refs.join(' ');
  // oxlint-disable-next-line react-hooks/exhaustive-deps -- another array may contain the same refs
  const viewed = useMemo(() => refs, [joined]);
  const enter = useCallback(() => {
    const leave = viewed.map((ref) => decoder?.view(ref));
    return () => {
      for (const stop of leave) stop?.();
    };
  }, [decoder, viewed]);
  useInView(enter);
  return viewed;
}

/**
 * Returns what can be shown of a payload, and keeps the payload in view while the component is mounted and `inView`
 * is true. Also requests payloads whose stub has a reason code, because the reason may no longer apply.
 */
export function usePayload(ref: PayloadRef | undefined, stub?: PayloadStub, inView = true): PayloadView {
  const { decoder, place } = usePayloads();
  const enter = useMemo(
    () => (ref === undefined || !inView ? undefined : () => decoder.view(ref)),
    [decoder, ref, inView],
  );
  useInView(enter);
  // Renders again when access changes, because a payload that is not in view must be hidden too.
  useRevealed((reveals) => (ref === undefined ? undefined : accessTo(reveals, place(ref)).status));
  const state = useStore(decoder.store, () => (ref === undefined ? undefined : decoder.state(ref)));
  const payload = state?.status === 'answered' && state.result.ok ? state.result.payload : undefined;
  const value = useStore(valuesStore, () => payload && valueOf(payload));
  useEffect(() => (payload && inView ? interpret(payload) : undefined), [payload, inView]);
  if (state === undefined) return waiting;
  switch (state.status) {
    case 'answered':
      if (state.result.ok) return value ? readable(value, state.result.payload) : waiting;
      return isOutOfDate(state.result)
        ? waiting
        : { status: 'unreadable', reason: state.result.reason, message: state.result.message };
    case 'failed':
      return state;
    case 'stored':
      return closed.stored;
    default: {
      // The server knows without decrypting that some payloads are unreadable, whatever the person's
      // permissions.
      const known = stub && reasonOf(stub, decoder.store.getState().findings);
      if (isUnreadable(known)) return { status: 'unreadable', reason: known };
      return state.status === 'waiting' ? waiting : closed[state.status];
    }
  }
}

/**
 * Returns whether a payload of the run's description (an attempt's failure, a heartbeat) has been replaced since the
 * server described the run. The next description contains the new payload.
 */
const isOutOfDate = ({ ref, reason }: { ref: PayloadRef; reason: ReasonCode }) =>
  partsOfRef(ref).eventId === 0 && reason === 'event_not_found';

/**
 * Returns whether a payload of an earlier description can no longer be read, because a later description
 * replaced it before the page could decrypt it.
 */
export function useIsGone(ref: PayloadRef | undefined): boolean {
  const { decoder } = usePayloads();
  return useStore(decoder.store, () => {
    const state = ref === undefined ? undefined : decoder.state(ref);
    return state?.status === 'answered' && !state.result.ok && isOutOfDate(state.result);
  });
}

function readable(value: PayloadValue, payload: JsonPayload): PayloadView {
  const known = views.get(value);
  if (known) return known;
  const view: PayloadView = { status: 'readable', value, payload };
  views.set(value, view);
  return view;
}
