import { type DecodeResult, MAX_REFS, type PayloadRef, type PayloadStub } from '@temporal-kms/codec-api';
import { ApiFailure, isAbort, isFinal } from '../session/server/failure.ts';
import { createDecoderStore, isRetryable, type PayloadState } from './decoder-store.ts';
import { payloadKey, type PlaintextCache } from './reveal/plaintext-cache.ts';
import type { PayloadAccess, PayloadPlace, PayloadsTarget } from './reveal/reveals.ts';

/** Decides which payloads are open. */
export interface DecoderAccess {
  readonly of: (ref: PayloadRef) => PayloadAccess;
  /** Calls the listener when payloads may have been opened or closed. */
  readonly subscribe: (listener: () => void) => () => void;
}

export interface DecoderOptions {
  readonly decode: (
    refs: readonly PayloadRef[],
    signal: AbortSignal,
    justification: string | undefined,
  ) => AsyncIterable<DecodeResult>;
  /** By default, every payload is open. */
  readonly access?: DecoderAccess;
  readonly cache: PlaintextCache;
  /** The prefix of the run's cache keys. */
  readonly scope: string;
  /** The stub of a payload. A result that only repeats its stub is not a finding. */
  readonly stub?: (ref: PayloadRef) => PayloadStub | undefined;
  /** Milliseconds without another payload coming into view before the request is sent. */
  readonly debounce?: number;
  /** Milliseconds until a payload with a retryable reason is requested again; doubles up to `retryMost`. */
  readonly retryFirst?: number;
  readonly retryMost?: number;
}

export type Decoder = ReturnType<typeof createDecoder>;

/** The payloads of a run. */
export interface Payloads {
  readonly decoder: Decoder;
  readonly place: (ref: PayloadRef) => PayloadPlace;
  /** The payloads of the event that contains a payload; empty if no event of the loaded history does. */
  readonly ofEvent: (ref: PayloadRef) => readonly PayloadRef[];
  /** What a person reveals: payloads of this run. */
  readonly target: (refs: readonly PayloadRef[]) => PayloadsTarget;
}

/** The reveal for which a payload is requested: `automatic`, or the id of a grant. Undefined: it is closed. */
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
const closed: Readonly<Record<'refused' | 'locked', PayloadState>> = {
  refused: { status: 'refused' },
  locked: { status: 'locked' },
};
const alwaysOpen: DecoderAccess = { of: () => ({ status: 'open' }), subscribe: () => () => undefined };

/**
 * Decodes the payloads in view and no others. Payloads that come into view within the debounce go into one request of
 * at most 200 refs. The decoder aborts a request when none of its payloads is in view any longer, and repeats requests
 * for payloads with a retryable reason while they are in view. Only payloads in view and the bounded cache hold
 * plaintext. When a payload closes, the decoder drops its plaintext and every answer about it that is on its way.
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
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether `timer` does not wait for the debounce. */
  let atOnce = false;
  /** Whether payloads have been requested. */
  let started = false;
  let unsubscribe: (() => void) | undefined;
  /** How often the decoder was stopped. */
  let timesStopped = 0;

  const cacheKey = (ref: PayloadRef, opening: string) =>
    payloadKey(scope, ref, opening === AUTOMATIC ? undefined : opening);

  function openingOf(ref: PayloadRef): Opening {
    const state = access.of(ref);
    return state.status === 'open' ? (state.grant?.id ?? AUTOMATIC) : undefined;
  }

  /** @param now whether no more payloads follow: the rows of a page that opens come into view all at once */
  function enqueue(ref: PayloadRef, now = !started) {
    queue.add(ref);
    if (atOnce) return;
    clearTimeout(timer);
    atOnce = now;
    // A timer would wait for the browser to draw the rows.
    if (now) queueMicrotask(flush);
    else timer = setTimeout(flush, debounce);
  }

  function flush() {
    started = true;
    atOnce = false;
    // Each request has one justification.
    const byOpening = new Map<string, PayloadRef[]>();
    for (const ref of queue) {
      const opening = entries.get(ref)?.opening;
      if (opening !== undefined) byOpening.set(opening, [...(byOpening.get(opening) ?? []), ref]);
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
      for await (const result of decode(open, batch.abort.signal, justification)) {
        // A stopped stream may still yield lines that it has received.
        if (batch.abort.signal.aborted) return;
        if (batch.refs.delete(result.ref)) answer(result, opening);
      }
      for (const ref of batch.refs) fail(ref, undefined);
    } catch (error) {
      if (isAbort(error)) return;
      for (const ref of batch.refs) fail(ref, error);
    } finally {
      batches.delete(batch);
    }
  }

  function answer(result: DecodeResult, opening: string) {
    const { ref } = result;
    // It may have closed since it was requested.
    if (openingOf(ref) !== opening) return;
    const state: PayloadState = { status: 'answered', result };
    const entry = entries.get(ref);
    if (result.ok) cache.set(cacheKey(ref, opening), result);
    answers.found(result);
    if (!entry) return;
    answers.add(ref, state);
    if (isRetryable(state)) retryLater(ref, entry);
    else entry.attempts = 0;
  }

  function fail(ref: PayloadRef, error: unknown) {
    const entry = entries.get(ref);
    if (!entry) return;
    const final = isFinal(error);
    const message =
      error instanceof ApiFailure
        ? error.message
        : 'The codec server’s answer ended early. It is requested again.';
    answers.add(ref, { status: 'failed', message, final });
    if (!final) retryLater(ref, entry);
  }

  function retryLater(ref: PayloadRef, entry: Entry) {
    clearTimeout(entry.retry);
    const delay = Math.min(retryFirst * 2 ** entry.attempts, retryMost);
    entry.attempts += 1;
    entry.retry = setTimeout(() => enqueue(ref), delay);
  }

  /**
   * Forgets what is in view, and requests it again: the session holds the requests back until the person may read it.
   */
  function hide() {
    for (const batch of batches) batch.abort.abort();
    answers.clear();
    for (const [ref, entry] of entries) {
      clearTimeout(entry.retry);
      entry.attempts = 0;
      enqueue(ref);
    }
  }

  /** Drops what belongs to a reveal that has ended, and requests what another reveal has opened. */
  function review() {
    const changed = [...entries].filter(([ref, { opening }]) => openingOf(ref) !== opening);
    answers.drop(changed.map(([ref]) => ref));
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
    // The view holds the plaintext now, whatever the cache evicts.
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
    // A retryable reason may no longer hold when the payload comes into view again.
    if (isRetryable(answers.get(ref))) answers.forgetFinding(ref);
    entries.delete(ref);
    queue.delete(ref);
    answers.drop([ref]);
    for (const batch of batches) {
      const unseen = [...batch.refs].every((other) => !entries.has(other));
      if (batch.refs.has(ref) && unseen) batch.abort.abort();
    }
  }

  return {
    /** Changes whenever the state of a payload or the findings change. */
    store: answers.store,
    /** Brings a payload into view until the returned function is called. */
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
      return answers.get(ref) ?? cache.peek(cacheKey(ref, state.grant?.id ?? AUTOMATIC)) ?? waiting;
    },
    /** Requests payloads in view again, without waiting for their next retry. */
    retry: (refs: readonly PayloadRef[]) => {
      for (const ref of refs) {
        if (entries.has(ref)) enqueue(ref);
      }
    },
    /** Aborts the requests in flight and forgets what is in view. The decoder can be used again afterwards. */
    stop: () => {
      timesStopped += 1;
      unsubscribe?.();
      unsubscribe = undefined;
      clearTimeout(timer);
      atOnce = false;
      for (const entry of entries.values()) clearTimeout(entry.retry);
      for (const batch of batches) batch.abort.abort();
      entries.clear();
      queue.clear();
      answers.clear();
    },
  };
}
