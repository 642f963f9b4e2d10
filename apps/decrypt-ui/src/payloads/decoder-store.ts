import { type DecodeResult, type PayloadRef, type PayloadStub, reasonClass } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import type { Finding, Findings } from './payload-keys.ts';

/**
 * What the page knows about a payload. A payload is `waiting` while its request is queued or in flight. A `stored`
 * payload is in external storage, and the person has not asked to read it. The page requests no payload that is
 * `refused`, `locked` or `stored`.
 */
export type PayloadState =
  | { readonly status: 'refused' | 'locked' | 'stored' | 'waiting' }
  | { readonly status: 'answered'; readonly result: DecodeResult }
  /** The request failed as a whole, so the server gave no reason code for this payload. */
  | {
      readonly status: 'failed';
      readonly message: string;
      /** True if the page does not repeat the request. */
      readonly final: boolean;
      /** Whether the server refused the request, because the person lacks the permission. */
      readonly forbidden: boolean;
    };

export interface DecoderState {
  /** The payloads in view whose request was answered or failed. */
  readonly payloads: ReadonlyMap<PayloadRef, PayloadState>;
  readonly findings: Findings;
  /** The payloads in external storage that the person has asked to read. */
  readonly asked: ReadonlySet<PayloadRef>;
}

/** Milliseconds for which the store collects findings before it publishes them. */
const SETTLE = 40;
/**
 * Milliseconds between publications of answers, about a screen frame. Each publication copies the answers in
 * view and makes every payload on the page check whether its state has changed. The store uses a timer, because
 * `requestAnimationFrame` stops in a hidden tab.
 */
const FRAME = 16;

export interface DecoderStoreOptions {
  readonly stub: (ref: PayloadRef) => PayloadStub | undefined;
  /**
   * Returns whether a payload is in view, and the reveal for which it was requested still permits showing it.
   */
  readonly mayShow: (ref: PayloadRef) => boolean;
}

/**
 * Creates a decoder's store. The store collects answers and publishes them once per frame. Answers that are
 * dropped before publication are never published.
 */
export function createDecoderStore({ stub, mayShow }: DecoderStoreOptions) {
  const store = createStore<DecoderState>()(() => ({
    payloads: new Map(),
    findings: new Map(),
    asked: new Set(),
  }));
  /** Answers that wait for the next publication. */
  const pending = new Map<PayloadRef, PayloadState>();
  const fresh = new Map<PayloadRef, Finding | undefined>();
  let publishing: ReturnType<typeof setTimeout> | undefined;
  let published = -FRAME;
  let settling: ReturnType<typeof setTimeout> | undefined;

  function publish() {
    publishing = undefined;
    published = performance.now();
    const payloads = new Map(store.getState().payloads);
    // A reveal may have ended before its timer fires.
    for (const [ref, state] of pending) if (mayShow(ref)) payloads.set(ref, state);
    pending.clear();
    store.setState({ payloads });
  }

  function settle() {
    settling ??= setTimeout(() => {
      settling = undefined;
      const next = new Map(store.getState().findings);
      for (const [changed, found] of fresh) {
        if (found) next.set(changed, found);
        else next.delete(changed);
      }
      fresh.clear();
      store.setState({ findings: next });
    }, SETTLE);
  }

  /**
   * Records a finding. Every row depends on the findings, so the findings change once per batch, not with
   * each answer.
   */
  function note(ref: PayloadRef, finding: Finding | undefined) {
    const { findings } = store.getState();
    if (isSame(fresh.has(ref) ? fresh.get(ref) : findings.get(ref), finding)) return;
    fresh.set(ref, finding);
    settle();
  }

  return {
    store,
    /** Returns the answer for a payload in view, published or not. */
    get: (ref: PayloadRef): PayloadState | undefined =>
      pending.get(ref) ?? store.getState().payloads.get(ref),
    /**
     * Adds an answer. The first answer is published together with the other answers of the same stream chunk.
     * Later answers are published once per frame.
     */
    add: (ref: PayloadRef, state: PayloadState) => {
      pending.set(ref, state);
      publishing ??= setTimeout(publish, Math.max(published + FRAME - performance.now(), 0));
    },
    /** Removes payloads immediately, published or not. */
    drop: (refs: Iterable<PayloadRef>) => {
      const payloads = new Map(store.getState().payloads);
      let changed = false;
      for (const ref of refs) {
        // A component may have read an answer that was not published yet, so the removal of such an answer is
        // published too.
        changed = pending.delete(ref) || changed;
        changed = payloads.delete(ref) || changed;
      }
      if (changed) store.setState({ payloads });
    },
    /** Removes all payloads immediately, published or not. */
    clear: () => {
      clearTimeout(publishing);
      publishing = undefined;
      pending.clear();
      store.setState({ payloads: new Map() });
    },
    /** Records that the person has asked to read a payload in external storage. */
    ask: (ref: PayloadRef) => store.setState(({ asked }) => ({ asked: new Set([...asked, ref]) })),
    /** Withdraws the person's requests to read payloads in external storage. */
    unask: (refs: Iterable<PayloadRef>) => {
      const gone = new Set(refs);
      const { asked } = store.getState();
      const left = [...asked].filter((ref) => !gone.has(ref));
      if (left.length < asked.size) store.setState({ asked: new Set(left) });
    },
    /** Records what a result adds to a payload's stub. */
    found: (result: DecodeResult) => note(result.ref, findingOf(result, stub(result.ref))),
    /** Removes the finding of a payload. */
    forgetFinding: (ref: PayloadRef) => note(ref, undefined),
  };
}

export const isRetryable = (state: PayloadState | undefined) =>
  state?.status === 'answered' && !state.result.ok && reasonClass(state.result.reason) === 'retryable';

/** Whether the request for the payload may be repeated automatically. Reads of external storage may cost money. */
export const isRepeated = (state: PayloadState | undefined) =>
  isRetryable(state) &&
  !(state?.status === 'answered' && !state.result.ok && state.result.reason === 'storage_unavailable');

const isSame = (a: Finding | undefined, b: Finding | undefined) =>
  a?.reason === b?.reason &&
  a?.format === b?.format &&
  a?.key?.name === b?.key?.name &&
  a?.key?.version === b?.key?.version;

/** Returns the facts in a result that the stub does not contain. */
function findingOf(result: DecodeResult, stub: PayloadStub | undefined): Finding | undefined {
  const reason = result.ok ? result.warning : result.reason;
  const format = result.ok ? result.retrieved?.format : undefined;
  const found: Finding = {
    ...(reason ? { reason } : {}),
    ...(result.key ? { key: result.key } : {}),
    ...(format ? { format } : {}),
  };
  if (!reason && !result.key && !format) return undefined;
  const known = stub && {
    ...(stub.reason ? { reason: stub.reason } : {}),
    ...(stub.key ? { key: stub.key } : {}),
  };
  return isSame(found, known) ? undefined : found;
}
