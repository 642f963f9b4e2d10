import type { EndReason } from '@temporal-kms/codec-api';

export interface LifetimeOptions {
  /** The reader has gone away. */
  readonly gone: AbortSignal;
  /** The process is to end. */
  readonly stopping: AbortSignal;
  /** Milliseconds since 1970: the reader's sign-in ends then. */
  readonly expiresAt?: number | undefined;
  /** Milliseconds from now. */
  readonly maxMs: number;
}

/** How long a stream may go on. */
export interface Lifetime {
  /** Aborted when it is over. */
  readonly signal: AbortSignal;
  /** Why it is over, if it is; `gone` when there is nobody to tell. */
  readonly over: () => Extract<EndReason, 'signed_out' | 'limit' | 'shutdown'> | 'gone' | undefined;
}

/** Longer timers fire at once (Node, "TIMEOUT_MAX"). */
const LONGEST_MS = 2 ** 31 - 1;

export function lifetime({ gone, stopping, expiresAt, maxMs }: LifetimeOptions): Lifetime {
  const left = expiresAt === undefined ? Number.POSITIVE_INFINITY : Math.max(0, expiresAt - Date.now());
  const timeout = AbortSignal.timeout(Math.floor(Math.min(left, maxMs, LONGEST_MS)));
  return {
    signal: AbortSignal.any([gone, stopping, timeout]),
    over: () => {
      if (gone.aborted) return 'gone';
      if (timeout.aborted) return left <= maxMs ? 'signed_out' : 'limit';
      return stopping.aborted ? 'shutdown' : undefined;
    },
  };
}
