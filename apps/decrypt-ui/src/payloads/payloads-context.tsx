import { useParams } from '@tanstack/react-router';
import type { JsonPayload, PayloadRef, PayloadStub, ReasonCode } from '@temporal-kms/codec-api';
import { createContext, type ReactNode, useContext, useEffect } from 'react';
import { useStore } from 'zustand';
import { type Findings, isUnreadable, reasonOf } from '../model/keys.ts';
import { type PayloadValue, payloadValue } from '../model/payload-value.ts';
import { useMe } from '../session/me.tsx';
import type { Decoder } from './decoder.ts';

const Context = createContext<Decoder | undefined>(undefined);

export function PayloadsProvider({ decoder, children }: { decoder: Decoder; children: ReactNode }) {
  return (
    <Context value={decoder}>
      <LockContext value={usePayloadLock()}>{children}</LockContext>
    </Context>
  );
}

/**
 * Why the page must not request payloads of the namespace in the address: the person lacks the permission `decode`, or the
 * server decrypts them only with a justification. A request without either would be refused and audited, for each payload.
 */
export type PayloadLock = 'permission' | 'justification';

const LockContext = createContext<PayloadLock | undefined>(undefined);

/** Returns what locks the payloads of the namespace in the address, if anything does. */
export function usePayloadLock(): PayloadLock | undefined {
  const { namespace = '' } = useParams({ strict: false });
  const { can, reveal } = useMe();
  if (!can(namespace, 'decode')) return 'permission';
  return reveal(namespace) === 'on-demand' ? 'justification' : undefined;
}

export function useDecoder(): Decoder {
  const decoder = useContext(Context);
  if (!decoder) throw new Error('useDecoder() was called outside of <PayloadsProvider>.');
  return decoder;
}

/** What decoding has added to the payloads' stubs so far. */
export function useFindings(): Findings {
  return useStore(useDecoder().store, ({ findings }) => findings);
}

/** What a component can show of a payload. */
export type PayloadView =
  | { readonly status: 'waiting' }
  /** It is not requested. */
  | { readonly status: 'locked'; readonly lock: PayloadLock }
  | { readonly status: 'readable'; readonly value: PayloadValue; readonly payload: JsonPayload }
  | { readonly status: 'unreadable'; readonly reason: ReasonCode; readonly message?: string }
  /** The request failed as a whole. */
  | { readonly status: 'failed'; readonly message: string };

const waiting: PayloadView = { status: 'waiting' };
const locked: Readonly<Record<PayloadLock, PayloadView>> = {
  permission: { status: 'locked', lock: 'permission' },
  justification: { status: 'locked', lock: 'justification' },
};
/** The views of decoded payloads; each lives as long as the answer that it was made from. */
const views = new WeakMap<JsonPayload, PayloadView>();

/**
 * Returns what can be shown of a payload, and keeps the payload in view while the component is mounted and `inView` is
 * true. A payload whose stub already has a reason code is requested too, because the reason may no longer hold.
 */
export function usePayload(ref: PayloadRef | undefined, stub?: PayloadStub, inView = true): PayloadView {
  const decoder = useDecoder();
  const lock = useContext(LockContext);
  useEffect(() => {
    if (ref === undefined || !inView || lock) return undefined;
    return decoder.view(ref);
  }, [decoder, ref, inView, lock]);
  const state = useStore(decoder.store, () => (ref === undefined ? undefined : decoder.state(ref)));
  if (state === undefined) return waiting;
  if (lock) {
    // The server knows without decrypting that some payloads are unreadable, whatever the person may do.
    const known = stub && reasonOf(stub, decoder.store.getState().findings);
    return isUnreadable(known) ? { status: 'unreadable', reason: known } : locked[lock];
  }
  switch (state.status) {
    case 'answered':
      if (state.result.ok) return readable(state.result.payload);
      return isOutOfDate(state.result)
        ? waiting
        : { status: 'unreadable', reason: state.result.reason, message: state.result.message };
    case 'failed':
      return { status: 'failed', message: state.message };
    default: {
      const known = stub && reasonOf(stub, decoder.store.getState().findings);
      return isUnreadable(known) ? { status: 'unreadable', reason: known } : waiting;
    }
  }
}

/**
 * True for a payload of the run's description (an attempt's failure, a heartbeat) that the server has replaced since it
 * described the run. The next description contains the new payload.
 */
const isOutOfDate = ({ ref, reason }: { ref: PayloadRef; reason: ReasonCode }) =>
  ref.startsWith('0:') && reason === 'event_not_found';

function readable(payload: JsonPayload): PayloadView {
  const known = views.get(payload);
  if (known) return known;
  const view: PayloadView = { status: 'readable', value: payloadValue(payload), payload };
  views.set(payload, view);
  return view;
}
