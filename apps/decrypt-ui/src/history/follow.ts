import type { HistoryEvent, HistoryFrame } from '@temporal-kms/codec-api';
import { ApiFailure, isAbort, isFinal } from '../api/failure.ts';
import { createHistoryBuilder, emptyHistory, type History } from '../model/history.ts';

export interface FollowState {
  readonly history: History;
  /** `loading`: the first pages come; `live`: waiting for more; `retrying`: cut off, asked again soon. */
  readonly phase: 'loading' | 'live' | 'complete' | 'retrying' | 'failed';
  /** Why the stream is not going on. */
  readonly failure?: ApiFailure;
}

export interface FollowOptions {
  readonly open: (after: number, signal: AbortSignal) => AsyncIterable<HistoryFrame>;
  /** Milliseconds between two announcements while events pour in. */
  readonly throttle?: number;
  /** Milliseconds before a cut stream is asked for again; doubles up to `retryMost`. */
  readonly retryFirst?: number;
  readonly retryMost?: number;
}

export type HistoryFollower = ReturnType<typeof followHistory>;

/**
 * Reads a history to its end and, while the run is open, as it grows. A stream that was cut, by the server or on the
 * way, is resumed after the last durable event.
 */
export function followHistory({ open, throttle = 100, retryFirst = 500, retryMost = 15_000 }: FollowOptions) {
  const builder = createHistoryBuilder();
  const listeners = new Set<() => void>();
  let abort = new AbortController();
  let state: FollowState = { history: emptyHistory, phase: 'loading' };
  let phase: FollowState['phase'] = 'loading';
  let failure: ApiFailure | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;

  function announce() {
    clearTimeout(timer);
    timer = undefined;
    const history = builder.snapshot();
    state = failure ? { history, phase, failure } : { history, phase };
    for (const listener of listeners) listener();
  }

  function add(events: readonly HistoryEvent[]) {
    builder.append(events);
    // requestAnimationFrame would stop in a hidden tab.
    timer ??= setTimeout(announce, state.history.events.length === 0 ? 0 : throttle);
  }

  /** True when there is nothing more to come. */
  async function readOnce(signal: AbortSignal): Promise<boolean> {
    for await (const frame of open(builder.lastDurable, signal)) {
      // A stream that was stopped may still have lines in hand.
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
    announce();
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
        frame.message ?? 'The history could not be read further.',
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
    /** Reads from the last durable event on, until `stop`. */
    start: () => {
      abort = new AbortController();
      void run(abort.signal);
    },
    state: () => state,
    subscribe: (listener: () => void): (() => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: () => {
      abort.abort();
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

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
