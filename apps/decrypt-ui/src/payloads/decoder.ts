import { type DecodeResult, MAX_REFS, type PayloadRef, type PayloadStub } from '@temporal-kms/codec-api';
import { ApiFailure, isAbort, isFinal } from '../session/server/failure.ts';
import { createDecoderStore, isRepeated, isRetryable, type PayloadState } from './decoder-store.ts';
import { payloadKey, type PlaintextCache } from './reveal/plaintext-cache.ts';
import type { PayloadAccess, PayloadPlace, PayloadsTarget } from './reveal/reveals.ts';
import { createReceivedBytes } from './received-bytes.ts';

/** Decides which payloads are open. */
export interface DecoderAccess {
  readonly of: (ref: PayloadRef) => PayloadAccess;
  /** Calls the listener when payloads may have opened or closed. */
  readonly subscribe: (listener: () => void) => () => void;
}

export interface DecoderOptions {
  readonly decode: (
    refs: readonly PayloadRef[],
    signal: AbortSignal,
    justification: string | undefined,
    /** Called with the number of bytes of the response that have arrived. */
    onBytes?: (count: number) => void,
  ) => AsyncIterable<DecodeResult>;
  /** Default: every payload is open. */
  readonly access?: DecoderAccess;
  readonly cache: PlaintextCache;
  /** The prefix of the run's cache keys. */
  readonly scope: string;
  /** The stub of a payload. A result that only repeats its stub is not a finding. */
  readonly stub?: (ref: PayloadRef) => PayloadStub | undefined;
  /** The decoder sends a request when no other payload has come into view for this many milliseconds. */
  readonly debounce?: number;
  /**
   * Milliseconds until the decoder first repeats the request for a payload with a retryable reason. Doubles up to
   * `retryMost`.
   */
  readonly retryFirst?: number;
  readonly retryMost?: number;
}

export type Decoder = ReturnType<typeof createDecoder>;

/** The payloads of a run. */
export interface Payloads {
  readonly decoder: Decoder;
  readonly place: (ref: PayloadRef) => PayloadPlace;
  /** Returns all payloads of the event to which a payload belongs; empty if no loaded event contains it. */
  readonly ofEvent: (ref: PayloadRef) => readonly PayloadRef[];
  /** Returns a reveal target for payloads of this run. */
  readonly target: (refs: readonly PayloadRef[]) => PayloadsTarget;
}

/** The reveal for which a payload is requested: `automatic`, or the id of a grant; undefined if the payload is closed. */
type Opening = string | undefined;

const AUTOMATIC = 'automatic';

interface Entry {
  viewers: number;
  attempts: number;
  opening: Opening;
  retry?: ReturnType<typeof setTimeout>;
}

interface Batch {
  readonly refs: Set<PayloadRef>;
  readonly opening: string;
  readonly abort: AbortController;
}

const waiting: PayloadState = { status: 'waiting' };
const stored: PayloadState = { status: 'stored' };
const closed: Readonly<Record<'refused' | 'locked', PayloadState>> = {
  refused: { status: 'refused' },
  locked: { status: 'locked' },
};
const alwaysOpen: DecoderAccess = { of: () => ({ status: 'open' }), subscribe: () => () => undefined };

/**
 * Creates a decoder, which decodes only payloads in view. Payloads that come into view within the debounce time share
 * requests of at most 200 refs. The decoder aborts a request when none of its payloads is in view any longer, and
 * repeats requests for payloads with a retryable reason while they are in view. Only payloads in view and the bounded
 * cache hold plaintext. When a payload closes, the decoder drops its plaintext and ignores answers in flight.
 *
 * A payload in external storage is decoded only after a call of `read`, in a separate request. The result
 * stays until the payload closes or, if the cache does not hold the result, leaves the view. The decoder
 * never repeats a read of external storage without `retry`, because each read is audited, counts towards the
 * caller's bytes, and may cost money.
 */
export function createDecoder({
  decode,
  access = alwaysOpen,
  cache,
  scope,
  stub = () => undefined,
  debounce = 40,
  retryFirst = 4000,
  retryMost = 20_000,
}: DecoderOptions) {
  const entries = new Map<PayloadRef, Entry>();
  const batches = new Set<Batch>();
  const queue = new Set<PayloadRef>();
  const answers = createDecoderStore({
    stub,
    mayShow: (ref) => {
      const opening = entries.get(ref)?.opening;
      return opening !== undefined && openingOf(ref) === opening;
    },
  });
  const received = createReceivedBytes();
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether a request that skips the debounce is about to be sent. */
  let atOnce = false;
  /** Whether payloads have been requested. */
  let started = false;
  let unsubscribe: (() => void) | undefined;
  /** Number of times the decoder was stopped. */
  let timesStopped = 0;

  const cacheKey = (ref: PayloadRef, opening: string) =>
    payloadKey(scope, ref, opening === AUTOMATIC ? undefined : opening);

  function openingOf(ref: PayloadRef): Opening {
    const state = access.of(ref);
    return state.status === 'open' ? (state.grant?.id ?? AUTOMATIC) : undefined;
  }

  const isStored = (ref: PayloadRef) => stub(ref)?.stored?.readable === true;
  /** Whether the decoder repeats the request for an answered payload while the payload is in view. */
  const repeats = (ref: PayloadRef, state: PayloadState | undefined) => isRepeated(state) && !isStored(ref);

  const mayRequest = (ref: PayloadRef) => !isStored(ref) || answers.store.getState().asked.has(ref);

  /**
   * Queues the request for a payload.
   *
   * @param now whether to skip the debounce: when a page opens, all its rows come into view at once
   */
  function enqueue(ref: PayloadRef, now = !started) {
    if (!mayRequest(ref)) return;
    queue.add(ref);
    if (atOnce) return;
    clearTimeout(timer);
    atOnce = now;
    // A timer would fire only after the browser has painted the rows.
    if (now) queueMicrotask(flush);
    else timer = setTimeout(flush, debounce);
  }

  function flush() {
    started = true;
    atOnce = false;
    // Requests the payloads of each reveal separately, because a request has only one justification.
    const byOpening = new Map<string, PayloadRef[]>();
    for (const ref of queue) {
      const opening = entries.get(ref)?.opening;
      if (opening === undefined) continue;
      if (isStored(ref)) void request([ref], opening);
      else byOpening.set(opening, [...(byOpening.get(opening) ?? []), ref]);
    }
    queue.clear();
    for (const [opening, refs] of byOpening) {
      for (let start = 0; start < refs.length; start += MAX_REFS) {
        void request(refs.slice(start, start + MAX_REFS), opening);
      }
    }
  }

  async function request(refs: readonly PayloadRef[], opening: string) {
    const open = refs.filter((ref) => openingOf(ref) === opening);
    const [first] = open;
    if (first === undefined) return;
    const state = access.of(first);
    const justification = state.status === 'open' ? state.grant?.justification : undefined;
    const batch: Batch = { refs: new Set(open), opening, abort: new AbortController() };
    batches.add(batch);
    try {
      const onBytes = isStored(first) ? received.counting(first) : undefined;
      for await (const result of decode(open, batch.abort.signal, justification, onBytes)) {
        // An aborted stream may still yield lines that it received before.
        if (batch.abort.signal.aborted) return;
        if (batch.refs.delete(result.ref)) answer(result, opening);
      }
      for (const ref of batch.refs) fail(ref, undefined);
    } catch (error) {
      if (isAbort(error)) return;
      for (const ref of batch.refs) fail(ref, error);
    } finally {
      batches.delete(batch);
      received.end(first);
    }
  }

  function answer(result: DecodeResult, opening: string) {
    const { ref } = result;
    // The payload may have closed since it was requested.
    if (openingOf(ref) !== opening) return;
    const state: PayloadState = { status: 'answered', result };
    const entry = entries.get(ref);
    if (result.ok) cache.set(cacheKey(ref, opening), result);
    answers.found(result);
    if (!entry) return;
    answers.add(ref, state);
    if (repeats(ref, state)) retryLater(ref, entry);
    else entry.attempts = 0;
  }

  function fail(ref: PayloadRef, error: unknown) {
    const entry = entries.get(ref);
    if (!entry) return;
    const final = isFinal(error) || isStored(ref);
    const message = error instanceof ApiFailure ? error.message : 'The codec server’s answer ended early.';
    const forbidden = error instanceof ApiFailure && error.code === 'forbidden';
    answers.add(ref, { status: 'failed', message, final, forbidden });
    if (!final) retryLater(ref, entry);
  }

  function retryLater(ref: PayloadRef, entry: Entry) {
    clearTimeout(entry.retry);
    const delay = Math.min(retryFirst * 2 ** entry.attempts, retryMost);
    entry.attempts += 1;
    entry.retry = setTimeout(() => enqueue(ref), delay);
  }

  /**
   * Drops the answers for payloads in view, and requests the payloads again. If the sign-in has expired, the
   * requests wait for the next sign-in.
   */
  function hide() {
    for (const batch of batches) batch.abort.abort();
    answers.clear();
    answers.unask(entries.keys());
    for (const [ref, entry] of entries) {
      clearTimeout(entry.retry);
      entry.attempts = 0;
      enqueue(ref);
    }
  }

  /** Drops answers of reveals that have ended, and requests payloads that another reveal has opened. */
  function review() {
    const changed = [...entries].filter(([ref, { opening }]) => openingOf(ref) !== opening);
    answers.drop(changed.map(([ref]) => ref));
    answers.unask(changed.map(([ref]) => ref));
    for (const [ref, entry] of changed) {
      entry.opening = openingOf(ref);
      entry.attempts = 0;
      clearTimeout(entry.retry);
      load(ref, entry.opening, true);
    }
    for (const batch of batches) {
      for (const ref of batch.refs) if (openingOf(ref) !== batch.opening) batch.refs.delete(ref);
      if (batch.refs.size === 0) batch.abort.abort();
    }
  }

  function load(ref: PayloadRef, opening: Opening, now?: boolean) {
    if (opening === undefined) return;
    const cached = cache.get(cacheKey(ref, opening));
    // From now on, the view holds the plaintext, even if the cache evicts its entry.
    if (cached) answers.add(ref, cached);
    const inFlight = [...batches].some(
      (batch) => batch.opening === opening && batch.refs.has(ref) && !batch.abort.signal.aborted,
    );
    if (!cached && !inFlight) enqueue(ref, now);
  }

  function subscribe() {
    const stops = [cache.onClear(hide), access.subscribe(review)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  function enter(ref: PayloadRef) {
    unsubscribe ??= subscribe();
    const known = entries.get(ref);
    if (known) {
      known.viewers += 1;
      return;
    }
    const opening = openingOf(ref);
    entries.set(ref, { viewers: 1, attempts: 0, opening });
    load(ref, opening);
  }

  function leave(ref: PayloadRef) {
    const entry = entries.get(ref);
    if (!entry) return;
    entry.viewers -= 1;
    if (entry.viewers > 0) return;
    clearTimeout(entry.retry);
    // A retryable reason may no longer apply when the payload comes into view again.
    if (isRetryable(answers.get(ref))) answers.forgetFinding(ref);
    entries.delete(ref);
    queue.delete(ref);
    answers.drop([ref]);
    answers.unask([ref]);
    for (const batch of batches) {
      const unseen = [...batch.refs].every((other) => !entries.has(other));
      if (batch.refs.has(ref) && unseen) batch.abort.abort();
    }
  }

  return {
    /** Changes when the state of a payload or the findings change. */
    store: answers.store,
    received: received.store,
    /** Whether the decoder repeats the request for a payload in view because of its reason. */
    repeats: (ref: PayloadRef): boolean => repeats(ref, answers.get(ref)),
    /** Marks a payload as in view until the returned function is called. */
    view: (ref: PayloadRef): (() => void) => {
      enter(ref);
      const entered = timesStopped;
      let left = false;
      return () => {
        if (left || entered !== timesStopped) return;
        left = true;
        leave(ref);
      };
    },
    state: (ref: PayloadRef): PayloadState => {
      const state = access.of(ref);
      if (state.status !== 'open') return closed[state.status];
      const known = answers.get(ref) ?? cache.peek(cacheKey(ref, state.grant?.id ?? AUTOMATIC));
      return known ?? (mayRequest(ref) ? waiting : stored);
    },
    /** Reads a payload in view from external storage, because the person asked for it. */
    read: (ref: PayloadRef) => {
      if (!entries.has(ref) || mayRequest(ref)) return;
      answers.ask(ref);
      enqueue(ref, true);
    },
    /** Aborts the request that `read` started, and drops its result. */
    stopReading: (ref: PayloadRef) => {
      clearTimeout(entries.get(ref)?.retry);
      queue.delete(ref);
      for (const batch of batches) if (batch.refs.delete(ref) && batch.refs.size === 0) batch.abort.abort();
      answers.drop([ref]);
      answers.unask([ref]);
    },
    /** Requests payloads in view again, without waiting for their next retry. */
    retry: (refs: readonly PayloadRef[]) => {
      for (const ref of refs) {
        if (entries.has(ref)) enqueue(ref);
      }
    },
    /** Aborts requests in flight and drops the payloads in view. The decoder can be used again afterwards. */
    stop: () => {
      timesStopped += 1;
      unsubscribe?.();
      unsubscribe = undefined;
      clearTimeout(timer);
      atOnce = false;
      for (const entry of entries.values()) clearTimeout(entry.retry);
      for (const batch of batches) batch.abort.abort();
      answers.unask(entries.keys());
      entries.clear();
      queue.clear();
      answers.clear();
    },
  };
}
