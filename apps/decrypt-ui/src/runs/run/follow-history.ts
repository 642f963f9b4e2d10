import { createStore } from 'zustand/vanilla';
import { ApiFailure, connectionBroke, failureOf, isAbort, isFinal } from '../../session/server/failure.ts';
import { createHistoryStore } from '../events/history-store.ts';
import { emptyHistory, type History } from '../events/history.ts';
import { createHistoryClient, type HistoryClient } from '../indexer/history-client.ts';
import type { HistoryEnd, IndexPort, IndexReply } from '../indexer/history-protocol.ts';
import type { HistorySource } from './history-source.ts';

export interface FollowState {
  readonly history: History;
  /**
   * `loading`: the first pages are arriving; `live`: waiting for more events; `complete`: the run has closed; `retrying`:
   * the connection broke and the follower is reconnecting; `failed`: the follower has given up.
   */
  readonly phase: 'loading' | 'live' | 'complete' | 'retrying' | 'failed';
  /** Why no more events arrive. */
  readonly failure?: ApiFailure;
}

/** Returns whether the first `expected` events have been read, or all events that the server has. */
export const isLoaded = ({ history, phase }: FollowState, expected: number): boolean =>
  phase === 'live' || phase === 'complete' || history.events.length >= expected;

export interface FollowOptions {
  readonly source: HistorySource;
  /** Opens a channel to a worker that runs `serveHistory`. Called on the first start. */
  readonly openPort: () => IndexPort<IndexReply>;
  /** Called with the events, starting at `from`, whose names match the latest search. */
  readonly onFound?: (eventIds: readonly number[], from: number) => void;
  /** Minimum milliseconds between updates of the store while events arrive. The interval grows with the history. */
  readonly throttle?: number;
  /** Milliseconds until the follower reconnects after a failure. Doubles up to `retryMost`. */
  readonly retryFirst?: number;
  readonly retryMost?: number;
  /** The target of `online` and `offline` events. Default: the window. */
  readonly network?: EventTarget;
}

/** Maximum milliseconds that the follower waits for the first events to be rendered before it opens another stream. */
const DRAW_MS = 300;
/** An update's cost is proportional to the history's length, so this many events add 1 ms to the time between updates. */
const EVENTS_PER_MS = 100;

/**
 * Creates a follower, which reads a history to its end and then, while the run is open, reads new events. When
 * the stream ends early, the follower reconnects and continues after the last durable event.
 */
export function followHistory({
  source,
  openPort,
  onFound = () => undefined,
  throttle = 100,
  retryFirst = 500,
  retryMost = 15_000,
  network = typeof window === 'undefined' ? new EventTarget() : window,
}: FollowOptions) {
  const collected = createHistoryStore();
  const store = createStore<FollowState>()(() => ({ history: emptyHistory, phase: 'loading' }));
  let client: HistoryClient | undefined;
  let abort = new AbortController();
  let phase: FollowState['phase'] = 'loading';
  /** The phase to return to when a retry succeeds. */
  let interrupted: FollowState['phase'] = 'loading';
  let failure: ApiFailure | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  /** Restarts the silence timer; called when a line of the stream arrives. */
  let watch: (() => void) | undefined;
  /**
   * Resolves when the first events have been rendered. Later events wait for this, so that they do not delay
   * the first events.
   */
  const drawn = Promise.withResolvers<void>();

  function publish() {
    clearTimeout(timer);
    timer = undefined;
    const history = collected.snapshot();
    store.setState(failure ? { history, phase, failure } : { history, phase }, true);
  }

  function connect(): HistoryClient {
    client ??= createHistoryClient({
      port: openPort(),
      onDelta(delta) {
        received();
        collected.apply(delta);
        const { length } = store.getState().history.events;
        // Publishes the first events immediately, so that their payloads are requested before the page is rendered.
        if (length === 0) publishFirst();
        // Browsers pause requestAnimationFrame in a hidden tab, but not timers.
        else timer ??= setTimeout(publish, throttle + length / EVENTS_PER_MS);
      },
      onHeartbeat() {
        received();
        settle('live');
      },
      onFound,
    });
    return client;
  }

  function publishFirst() {
    setTimeout(drawn.resolve, DRAW_MS);
    publish();
  }

  function received() {
    watch?.();
    failures = 0;
    failure = undefined;
    if (phase === 'retrying') phase = interrupted;
  }

  function settle(next: FollowState['phase']) {
    // The store may still show a retry that a heartbeat has ended, so even an unchanged phase is published.
    if (phase === next && store.getState().phase === next && timer === undefined) return;
    if (next === 'retrying' && phase !== next) interrupted = phase === 'failed' ? 'loading' : phase;
    phase = next;
    publish();
  }

  /** Calls `read` with a signal that also aborts when the stream is silent for too long or the browser goes offline. */
  async function watched<T>(signal: AbortSignal, read: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { silence } = source;
    if (silence === undefined) return read(signal);
    const broken = new AbortController();
    const onBroken = () => broken.abort(connectionBroke());
    let silent: ReturnType<typeof setTimeout> | undefined;
    const restart = () => {
      clearTimeout(silent);
      silent = setTimeout(onBroken, silence);
    };
    restart();
    watch = restart;
    // If the server runs on this machine, the next stream will succeed even offline.
    network.addEventListener('offline', onBroken);
    try {
      return await read(AbortSignal.any([signal, broken.signal]));
    } finally {
      // Another stream may have set its own `watch` by now.
      if (watch === restart) watch = undefined;
      clearTimeout(silent);
      network.removeEventListener('offline', onBroken);
    }
  }

  /** Reads one stream. Returns true if no more events will arrive. */
  async function readOnce(signal: AbortSignal): Promise<boolean> {
    const opened = performance.now();
    const body = await source.open(collected.lastDurable, signal);
    const end = await watched(signal, (either) => connect().read(body, either));
    if (end?.reason === 'signed_out' && source.renewed) {
      await source.renewed(opened, signal);
      return false;
    }
    return end !== undefined && ended(end);
  }

  function ended({ reason, message }: HistoryEnd): boolean {
    if (reason === 'complete') {
      settle('complete');
      return true;
    }
    if (reason === 'error' || reason === 'signed_out') {
      failures += 1;
      failure = new ApiFailure(
        reason === 'signed_out' ? 'unauthenticated' : 'internal',
        message ?? 'The codec server could not read more of the history.',
      );
      if (reason === 'signed_out') {
        settle('failed');
        return true;
      }
    }
    return false;
  }

  async function run(signal: AbortSignal) {
    while (!signal.aborted) {
      try {
        if (await readOnce(signal)) return;
      } catch (error) {
        if (signal.aborted || isAbort(error)) return;
        failures += 1;
        failure = failureOf(error);
        if (isFinal(error)) {
          settle('failed');
          return;
        }
      }
      if (failures > 0) settle('retrying');
      if (store.getState().history.events.length > 0) await drawn.promise;
      const delay = failures === 0 ? 50 : Math.min(retryFirst * 2 ** (failures - 1), retryMost);
      await pause(delay, signal, network);
    }
  }

  return {
    store,
    /** Reads the events after the last durable event, until `stop` is called. */
    start: () => {
      abort = new AbortController();
      void run(abort.signal);
    },
    stop: () => {
      abort.abort();
      clearTimeout(timer);
      timer = undefined;
    },
    /** Call when events have been rendered. The follower waits for this call after the first stream. */
    drawn: () => drawn.resolve(),
    /** Searches the names of current and later events. If `words` is empty, ends the search. */
    find: (words: readonly string[]) => connect().find(words),
    /** Returns where the run's time went; for an open run, until now. */
    times: () => connect().times(Date.now()),
    /** Frees the worker's memory. The follower cannot be used afterwards. */
    close: () => client?.close(),
  };
}

/** Waits for the given time, or until the signal aborts or the browser is online again. */
function pause(millis: number, signal: AbortSignal, network: EventTarget): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      network.removeEventListener('online', done);
      resolve();
    };
    const timer = setTimeout(done, millis);
    signal.addEventListener('abort', done);
    network.addEventListener('online', done);
  });
}
