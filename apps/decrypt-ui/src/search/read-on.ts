import { countReasons, type EndReason, type ReasonCounts } from '@temporal-kms/codec-api';
import type { ApiClient } from '../session/server/client.ts';
import { ApiFailure, failureOf, isAbort } from '../session/server/failure.ts';
import type { Progress, ReadStatus } from './one-at-a-time.ts';

/** Milliseconds between updates of the page, so that a response with many lines does not block it. */
const PUBLISH_MS = 100;

/** Returns a stream's state after its last line. */
export function endOf(
  reason: EndReason,
  message: string | undefined,
): { readonly status: ReadStatus; readonly failure?: ApiFailure } {
  if (reason === 'complete') return { status: 'complete' };
  if (reason === 'limit' || reason === 'shutdown') return { status: 'limit' };
  const code = reason === 'signed_out' ? 'unauthenticated' : 'internal';
  return {
    status: 'failed',
    failure: new ApiFailure(code, message ?? 'The codec server’s answer ended early.'),
  };
}

/** A line of a stream. The last line is an `end`, with a reason and the position after which another request continues. */
type Line<Position> =
  | {
      readonly type: 'end';
      readonly reason: EndReason;
      readonly after: Position;
      readonly message?: string | undefined;
    }
  | { readonly type: 'start' | 'run' | 'hit' | 'progress' };

interface ReadOptions<Position, Frame, Now> {
  /** The lines and counts that earlier requests returned. */
  readonly known: Now;
  /** Sends a request that starts after a position, or from the beginning. */
  readonly open: (after: Position | undefined) => AsyncIterable<Frame>;
  /**
   * Adds a line to what has been read. `base` is what earlier requests had read, because the counts of each request start
   * at zero.
   */
  readonly add: (now: Now, frame: Frame, base: Now) => Now;
  /** Returns whether another request continues automatically after an `end`. */
  readonly goesOn?: (end: Extract<Frame, { type: 'end' }>) => boolean;
  /** As in `ApiClientOptions`. After an `end` with the reason `signed_out`, reading continues with the new token. */
  readonly renewed: ApiClient['renewed'];
  /** Called with what has been read: at the start, then at most every `PUBLISH_MS`, and at the end, but not after an abort. */
  readonly publish: (now: Now) => void;
}

/** Reads a stream with as many requests as it needs, until it ends, fails or is aborted. */
export async function readOn<Position, Frame extends Line<Position>, Now extends Progress<Position>>(
  { known, open, add, goesOn = () => false, renewed, publish }: ReadOptions<Position, Frame, Now>,
  signal: AbortSignal,
): Promise<void> {
  let now: Now = { ...known, status: 'running', failure: undefined };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const show = () => {
    clearTimeout(timer);
    timer = undefined;
    if (!signal.aborted) publish(now);
  };
  show();
  try {
    for (let again = true; again;) {
      const opened = performance.now();
      const base = now;
      let isSignedOut = false;
      again = false;
      for await (const frame of open(now.after)) {
        now = add(now, frame, base);
        timer ??= setTimeout(show, PUBLISH_MS);
        if (!isEnd(frame)) continue;
        isSignedOut = frame.reason === 'signed_out' && renewed !== undefined;
        again = isSignedOut || goesOn(frame);
        now = { ...now, after: frame.after, ...(again ? {} : endOf(frame.reason, frame.message)) };
      }
      if (isSignedOut) await renewed?.(opened, signal);
    }
    if (now.status === 'running') now = { ...now, ...endOf('error', undefined) };
  } catch (error) {
    if (!isAbort(error)) now = { ...now, status: 'failed', failure: failureOf(error) };
  }
  show();
}

const isEnd = <Frame extends Line<unknown>>(frame: Frame): frame is Extract<Frame, { type: 'end' }> =>
  frame.type === 'end';

/**
 * Returns whether a request that reached a limit on time or Cloud KMS calls has read anything. If not, the next
 * request would only repeat it.
 */
export const hasRead = ({
  reason,
  runs,
  failed,
}: {
  reason: EndReason;
  runs: number;
  failed: number;
}): boolean => reason === 'limit' && runs + failed > 0;

interface Unreadable {
  readonly unreadable: ReasonCounts;
}

export function sumUnreadable(base: Unreadable, added: Unreadable): ReasonCounts {
  const unreadable = { ...base.unreadable };
  countReasons(unreadable, added.unreadable);
  return unreadable;
}
