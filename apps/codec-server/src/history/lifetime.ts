import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EndReason } from '@temporal-kms/codec-api';
import type { MemoryBudget } from '../memory/budget.ts';

export interface LifetimeOptions {
  /** The reader has gone away. */
  readonly gone: AbortSignal;
  /** The process is to end. */
  readonly stopping: AbortSignal;
  /** Milliseconds since 1970: the reader's sign-in ends then. */
  readonly expiresAt?: number | undefined;
  /** Milliseconds from now. */
  readonly maxMs: number;
  /** What all requests in flight may hold. */
  readonly memory: MemoryBudget;
}

/** `gone` when there is nobody to tell. */
type Over = Extract<EndReason, 'signed_out' | 'limit' | 'shutdown'> | 'gone';

/** How long a stream may go on. */
export interface Lifetime {
  /** Aborted when it is over. */
  readonly signal: AbortSignal;
  /** Why it is over, if it is; what was seen first counts. */
  readonly over: () => Over | undefined;
  /** What the stream and all other requests in flight may hold. */
  readonly memory: MemoryBudget;
  /**
   * Comes between two steps of work, and lets everybody else have a turn every few milliseconds: work on pages and keys
   * that are at hand waits for nothing by itself.
   * @throws once it is over
   */
  readonly step: () => Promise<void>;
}

/** How long one stream may keep the event loop. */
const TURN_MS = 5;

/** Longer timers fire at once (Node, "TIMEOUT_MAX"). */
const LONGEST_MS = 2 ** 31 - 1;

export function lifetime({ gone, stopping, expiresAt, maxMs, memory }: LifetimeOptions): Lifetime {
  const left = expiresAt === undefined ? Number.POSITIVE_INFINITY : Math.max(0, expiresAt - Date.now());
  const ms = Math.floor(Math.min(left, maxMs, LONGEST_MS));
  const begun = performance.now();
  const timeout = AbortSignal.timeout(ms);
  const signal = AbortSignal.any([gone, stopping, timeout]);
  // A timer is late where the event loop is busy; a sign-in ends in time.
  const isPast = (): boolean => timeout.aborted || performance.now() - begun >= ms;
  const why = (): Over | undefined => {
    if (gone.aborted) return 'gone';
    if (isPast()) return left <= maxMs ? 'signed_out' : 'limit';
    return stopping.aborted ? 'shutdown' : undefined;
  };
  let turned = begun;
  let first: Over | undefined;
  return {
    signal,
    memory,
    over: () => (first ??= why()),
    step: async () => {
      if (performance.now() - turned >= TURN_MS) {
        await nextTurn();
        turned = performance.now();
      }
      signal.throwIfAborted();
      if (isPast()) throw new Error('it took its time');
    },
  };
}
