import type { JsonPayload, PayloadRef, PayloadStub, ReasonCode } from '@temporal-kms/codec-api';
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useSyncExternalStore,
} from 'react';
import { type Findings, isUnreadable, reasonOf } from '../model/keys.ts';
import { type PayloadValue, payloadValue } from '../model/payload-value.ts';
import type { Decoder } from './decoder.ts';

const Context = createContext<Decoder | undefined>(undefined);

export function PayloadsProvider({ decoder, children }: { decoder: Decoder; children: ReactNode }) {
  return <Context value={decoder}>{children}</Context>;
}

export function useDecoder(): Decoder {
  const decoder = useContext(Context);
  if (!decoder) throw new Error('No PayloadsProvider around this component.');
  return decoder;
}

export function useFindings(): Findings {
  const decoder = useDecoder();
  return useSyncExternalStore(decoder.subscribeFindings, decoder.findings);
}

/** What can be shown of a payload. */
export type PayloadView =
  | { readonly status: 'waiting' }
  | { readonly status: 'open'; readonly value: PayloadValue; readonly payload: JsonPayload }
  | { readonly status: 'unreadable'; readonly reason: ReasonCode; readonly message?: string }
  | { readonly status: 'unasked'; readonly message: string };

const waiting: PayloadView = { status: 'waiting' };
/** Lives as long as the answer it was made from. */
const values = new WeakMap<JsonPayload, PayloadView>();

/**
 * A payload that is in view for as long as the component stands and `inView` is true. One whose header already says
 * that it can't be opened is asked for as well: what it says may have been set right since.
 */
export function usePayload(ref: PayloadRef | undefined, stub?: PayloadStub, inView = true): PayloadView {
  const decoder = useDecoder();
  useEffect(() => {
    if (ref === undefined || !inView) return undefined;
    return decoder.view(ref);
  }, [decoder, ref, inView]);
  const subscribe = useCallback(
    (listener: () => void) => (ref === undefined ? () => undefined : decoder.subscribe(ref, listener)),
    [decoder, ref],
  );
  const state = useSyncExternalStore(subscribe, () => (ref === undefined ? undefined : decoder.state(ref)));
  if (state === undefined) return waiting;
  switch (state.status) {
    case 'answered':
      if (state.result.ok) return opened(state.result.payload);
      return isOutOfDate(state.result)
        ? waiting
        : { status: 'unreadable', reason: state.result.reason, message: state.result.message };
    case 'unasked':
      return { status: 'unasked', message: state.message };
    default: {
      const known = stub && reasonOf(stub, decoder.findings());
      return isUnreadable(known) ? { status: 'unreadable', reason: known } : waiting;
    }
  }
}

/**
 * A payload of the run's description (an attempt's failure, a heartbeat) that has been replaced since it was described:
 * the next description brings its successor.
 */
const isOutOfDate = ({ ref, reason }: { ref: PayloadRef; reason: ReasonCode }) =>
  ref.startsWith('0:') && reason === 'event_not_found';

function opened(payload: JsonPayload): PayloadView {
  const known = values.get(payload);
  if (known) return known;
  const view: PayloadView = { status: 'open', value: payloadValue(payload), payload };
  values.set(payload, view);
  return view;
}
