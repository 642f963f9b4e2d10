import {
  type DecodeResult,
  MAX_REFS,
  type PayloadRef,
  type PayloadStub,
  reasonClass,
} from '@temporal-kms/codec-api';
import { ApiFailure, isAbort, isFinal } from '../api/failure.ts';
import type { Finding, Findings } from '../model/keys.ts';
import type { OpenedCache } from './opened-cache.ts';

/** What is known of a payload on the page. `waiting` includes asked for and not yet answered. */
export type PayloadState =
  | { readonly status: 'waiting' }
  | { readonly status: 'answered'; readonly result: DecodeResult }
  /** The request failed as a whole: no reason of this payload's own is known. */
  | { readonly status: 'unasked'; readonly message: string; readonly final: boolean };

export interface DecoderOptions {
  readonly decode: (refs: readonly PayloadRef[], signal: AbortSignal) => AsyncIterable<DecodeResult>;
  readonly cache: OpenedCache;
  /** Keeps the runs apart in the cache. */
  readonly scope: string;
  /** What is known of a payload before it is opened: only what differs from it is a finding. */
  readonly stub?: (ref: PayloadRef) => PayloadStub | undefined;
  /** Milliseconds of quiet before what came into view is asked for. */
  readonly debounce?: number;
  /** Milliseconds before a retryable refusal is asked again, while it is in view; doubles up to `retryMost`. */
  readonly retryFirst?: number;
  readonly retryMost?: number;
}

export type Decoder = ReturnType<typeof createDecoder>;

interface Entry {
  viewers: number;
  state: PayloadState;
  attempts: number;
  retry?: ReturnType<typeof setTimeout>;
}

interface Batch {
  readonly refs: Set<PayloadRef>;
  readonly abort: AbortController;
}

const SETTLE = 40;
const waiting: PayloadState = { status: 'waiting' };

/**
 * Asks for the payloads that are in view, and for no others: those that came into view within the debounce go in one
 * request (at most 200), a request that nobody looks at any more is aborted, and a retryable refusal is asked again as
 * long as it is looked at. Plaintext is held by what is in view and by the bounded cache alone.
 */
export function createDecoder({
  decode,
  cache,
  scope,
  stub = () => undefined,
  debounce = 80,
  retryFirst = 4000,
  retryMost = 20_000,
}: DecoderOptions) {
  const entries = new Map<PayloadRef, Entry>();
  const batches = new Set<Batch>();
  const queue = new Set<PayloadRef>();
  const listeners = new Map<PayloadRef, Set<() => void>>();
  const findingListeners = new Set<() => void>();
  let findings: Findings = new Map();
  const fresh = new Map<PayloadRef, Finding | undefined>();
  let settling: ReturnType<typeof setTimeout> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const cacheKey = (ref: PayloadRef) => `${scope} ${ref}`;

  function publish(ref: PayloadRef, state: PayloadState) {
    const entry = entries.get(ref);
    if (entry) entry.state = state;
    for (const listener of listeners.get(ref) ?? []) listener();
  }

  /** Every row looks at the findings, so they change once for a batch and not with each answer. */
  function note(ref: PayloadRef, finding: Finding | undefined) {
    if (same(fresh.has(ref) ? fresh.get(ref) : findings.get(ref), finding)) return;
    fresh.set(ref, finding);
    settling ??= setTimeout(() => {
      settling = undefined;
      const next = new Map(findings);
      for (const [changed, found] of fresh) {
        if (found) next.set(changed, found);
        else next.delete(changed);
      }
      findings = next;
      fresh.clear();
      for (const listener of findingListeners) listener();
    }, SETTLE);
  }

  function enqueue(ref: PayloadRef) {
    queue.add(ref);
    clearTimeout(timer);
    timer = setTimeout(flush, debounce);
  }

  function flush() {
    const refs = [...queue].filter((ref) => (entries.get(ref)?.viewers ?? 0) > 0);
    queue.clear();
    for (let start = 0; start < refs.length; start += MAX_REFS) {
      void ask(refs.slice(start, start + MAX_REFS));
    }
  }

  async function ask(refs: readonly PayloadRef[]) {
    const batch: Batch = { refs: new Set(refs), abort: new AbortController() };
    batches.add(batch);
    try {
      for await (const result of decode(refs, batch.abort.signal)) {
        if (batch.refs.delete(result.ref)) answer(result);
      }
      for (const ref of batch.refs) fail(ref, undefined);
    } catch (error) {
      if (isAbort(error)) return;
      for (const ref of batch.refs) fail(ref, error);
    } finally {
      batches.delete(batch);
    }
  }

  function answer(result: DecodeResult) {
    const state: PayloadState = { status: 'answered', result };
    const entry = entries.get(result.ref);
    if (result.ok) cache.set(cacheKey(result.ref), result);
    note(result.ref, findingOf(result, stub(result.ref)));
    publish(result.ref, state);
    if (isPassing(state)) retryLater(result.ref);
    else if (entry) entry.attempts = 0;
  }

  function fail(ref: PayloadRef, error: unknown) {
    const final = isFinal(error);
    const message = error instanceof ApiFailure ? error.message : 'The codec server’s answer was cut off.';
    publish(ref, { status: 'unasked', message, final });
    if (!final) retryLater(ref);
  }

  function retryLater(ref: PayloadRef) {
    const entry = entries.get(ref);
    if (!entry) return;
    clearTimeout(entry.retry);
    const delay = Math.min(retryFirst * 2 ** entry.attempts, retryMost);
    entry.attempts += 1;
    entry.retry = setTimeout(() => {
      if (entry.viewers > 0) enqueue(ref);
    }, delay);
  }

  function look(ref: PayloadRef) {
    const known = entries.get(ref);
    if (known) {
      known.viewers += 1;
      return;
    }
    const cached = cache.get(cacheKey(ref));
    entries.set(ref, { viewers: 1, state: cached ?? waiting, attempts: 0 });
    const underWay = [...batches].some((batch) => batch.refs.has(ref) && !batch.abort.signal.aborted);
    if (!cached && !underWay) enqueue(ref);
  }

  function leave(ref: PayloadRef) {
    const entry = entries.get(ref);
    if (!entry) return;
    entry.viewers -= 1;
    if (entry.viewers > 0) return;
    clearTimeout(entry.retry);
    // What passes by itself may have passed by the time one looks again.
    if (isPassing(entry.state)) note(ref, undefined);
    entries.delete(ref);
    queue.delete(ref);
    for (const batch of batches) {
      const unseen = [...batch.refs].every((other) => !entries.has(other));
      if (batch.refs.has(ref) && unseen) batch.abort.abort();
    }
  }

  return {
    /** Puts a payload into view until the returned function is called. */
    view: (ref: PayloadRef): (() => void) => {
      look(ref);
      let left = false;
      return () => {
        if (left) return;
        left = true;
        leave(ref);
      };
    },
    state: (ref: PayloadRef): PayloadState => entries.get(ref)?.state ?? cache.peek(cacheKey(ref)) ?? waiting,
    subscribe: (ref: PayloadRef, listener: () => void): (() => void) => {
      const group = listeners.get(ref) ?? new Set();
      listeners.set(ref, group.add(listener));
      return () => {
        group.delete(listener);
        if (group.size === 0 && listeners.get(ref) === group) listeners.delete(ref);
      };
    },
    /** Asks again at once. */
    retry: (refs: readonly PayloadRef[]) => {
      for (const ref of refs) {
        if (entries.has(ref)) enqueue(ref);
      }
    },
    findings: () => findings,
    subscribeFindings: (listener: () => void): (() => void) => {
      findingListeners.add(listener);
      return () => findingListeners.delete(listener);
    },
    /** Ends what is under way. What is put into view afterwards is asked for as before. */
    stop: () => {
      clearTimeout(timer);
      for (const entry of entries.values()) clearTimeout(entry.retry);
      for (const batch of batches) batch.abort.abort();
      entries.clear();
      queue.clear();
    },
  };
}

const isPassing = (state: PayloadState) =>
  state.status === 'answered' && !state.result.ok && reasonClass(state.result.reason) === 'retryable';

const same = (a: Finding | undefined, b: Finding | undefined) =>
  a?.reason === b?.reason && a?.key?.name === b?.key?.name && a?.key?.version === b?.key?.version;

function findingOf(result: DecodeResult, stub: PayloadStub | undefined): Finding | undefined {
  const reason = result.ok ? result.warning : result.reason;
  const found: Finding = { ...(reason ? { reason } : {}), ...(result.key ? { key: result.key } : {}) };
  if (!reason && !result.key) return undefined;
  const known = stub && {
    ...(stub.reason ? { reason: stub.reason } : {}),
    ...(stub.key ? { key: stub.key } : {}),
  };
  return same(found, known) ? undefined : found;
}
