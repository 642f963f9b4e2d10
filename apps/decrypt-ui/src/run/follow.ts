import type { HistoryEvent, HistoryFrame } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import { ApiFailure, isAbort, isFinal } from '../api/failure.ts';
import { createHistoryBuilder, emptyHistory, type History } from '../model/history.ts';

export interface FollowState {
  readonly history: History;
  /**
   * `loading`: the first pages arrive; `live`: waits for more events; `complete`: the run has closed; `retrying`: the
   * connection broke and the follower reconnects; `failed`: it does not reconnect.
   */
  readonly phase: 'loading' | 'live' | 'complete' | 'retrying' | 'failed';
  /** Why no more events arrive. */
  readonly failure?: ApiFailure;
}

export interface FollowOptions {
  /** Opens the stream of the events after the event with the id `after`. */
  readonly open: (after: number, signal: AbortSignal) => AsyncIterable<HistoryFrame>;
  /** Least milliseconds between two updates of the store while events arrive. */
  readonly throttle?: number;
  /** Milliseconds until the follower reconnects after a failure; doubles up to `retryMost`. */
  readonly retryFirst?: number;
  readonly retryMost?: number;
}

export type HistoryFollower = ReturnType<typeof followHistory>;

/**
 * Reads a history to its end and, while the run is open, as it grows. When the stream ends early, the follower reconnects
 * and continues after the last durable event.
 */
export function followHistory({ open, throttle = 100, retryFirst = 500, retryMost = 15_000 }: FollowOptions) {
  const builder = createHistoryBuilder();
  const store = createStore<FollowState>()(() => ({ history: emptyHistory, phase: 'loading' }));
  let abort = new AbortController();
  let phase: FollowState['phase'] = 'loading';
  let failure: ApiFailure | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;

  function publish() {
    clearTimeout(timer);
    timer = undefined;
    const history = builder.snapshot();
    store.setState(failure ? { history, phase, failure } : { history, phase }, true);
  }

  function add(events: readonly HistoryEvent[]) {
    builder.append(events);
    // Browsers pause requestAnimationFrame in a hidden tab, but not timers.
    timer ??= setTimeout(publish, store.getState().history.events.length === 0 ? 0 : throttle);
  }

  /** Reads one stream; true when no more events will come. */
  async function readOnce(signal: AbortSignal): Promise<boolean> {
    for await (const frame of open(builder.lastDurable, signal)) {
      // A stopped stream may still yield lines that it has received.
      if (signal.aborted) return true;
      if (frame.type !== 'end') received();
      if (frame.type === 'events') add(frame.events);
      else if (frame.type === 'heartbeat') settle('live');
      else return ended(frame);
    }
    return false;
  }

  function received() {
    failures = 0;
    failure = undefined;
    if (phase === 'retrying') phase = 'live';
  }

  function settle(next: FollowState['phase']) {
    if (phase === next && timer === undefined) return;
    phase = next;
    publish();
  }

  function ended(frame: Extract<HistoryFrame, { type: 'end' }>): boolean {
    if (frame.reason === 'complete') {
      settle('complete');
      return true;
    }
    if (frame.reason === 'error' || frame.reason === 'signed_out') {
      failures += 1;
      failure = new ApiFailure(
        frame.reason === 'signed_out' ? 'unauthenticated' : 'internal',
        frame.message ?? 'The codec server could not read more of the history.',
      );
      if (frame.reason === 'signed_out') {
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
        failure = error instanceof ApiFailure ? error : new ApiFailure('unexpected', String(error));
        if (isFinal(error)) {
          settle('failed');
          return;
        }
      }
      if (failures > 0) settle('retrying');
      await pause(failures === 0 ? 50 : Math.min(retryFirst * 2 ** (failures - 1), retryMost), signal);
    }
  }

  return {
    store,
    /** Reads the events after the last durable one, until `stop` is called. */
    start: () => {
      abort = new AbortController();
      void run(abort.signal);
    },
    stop: () => {
      abort.abort();
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/** Waits for a time, or until the signal aborts. */
function pause(millis: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, millis);
    signal.addEventListener('abort', done);
  });
}
