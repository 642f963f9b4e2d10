import { countReasons, type EndReason, type ReasonCounts } from '@temporal-kms/codec-api';
import { ApiFailure } from '../session/server/failure.ts';

/** `limit`: the server reached a limit on time, hits or cost. The reader can continue the search. */
export type SearchStatus = 'running' | 'complete' | 'limit' | 'stopped' | 'failed';

/** Milliseconds between updates of the page, so that a search with many hits does not block it. */
export const PUBLISH_MS = 100;

/** What a search of payloads has covered, and its cost. */
export interface SearchCounts {
  readonly events: number;
  readonly payloads: number;
  readonly bytes: number;
  readonly kmsCalls: number;
  /** Number of payloads that could not be searched, by reason code. */
  readonly unreadable: ReasonCounts;
}

export const nothingSearched: SearchCounts = {
  events: 0,
  payloads: 0,
  bytes: 0,
  kmsCalls: 0,
  unreadable: {},
};

/** Adds the counts of a request to those of earlier requests of the same search. */
export function sum(base: SearchCounts, added: SearchCounts): SearchCounts {
  const unreadable: ReasonCounts = { ...base.unreadable };
  countReasons(unreadable, added.unreadable);
  return {
    events: base.events + added.events,
    payloads: base.payloads + added.payloads,
    bytes: base.bytes + added.bytes,
    kmsCalls: base.kmsCalls + added.kmsCalls,
    unreadable,
  };
}

/** Returns a search's state after its last line. */
export function endOf(
  reason: EndReason,
  message: string | undefined,
): { readonly status: SearchStatus; readonly failure?: ApiFailure } {
  if (reason === 'complete') return { status: 'complete' };
  if (reason === 'limit' || reason === 'shutdown') return { status: 'limit' };
  const code = reason === 'signed_out' ? 'unauthenticated' : 'internal';
  return {
    status: 'failed',
    failure: new ApiFailure(code, message ?? 'The codec server’s answer ended early.'),
  };
}

interface ContinuedSearch<Frame, Position> {
  readonly after: Position | undefined;
  /** Sends a request that starts after a position, or from the beginning. */
  readonly open: (after: Position | undefined) => AsyncIterable<Frame>;
  /** Returns whether the search continues automatically after an `end` line, the last line of a request. */
  readonly goesOn?: (end: Frame) => boolean;
  /** As in `ApiClientOptions`. */
  readonly renewed: ((opened: number, signal: AbortSignal) => Promise<void>) | undefined;
  readonly signal: AbortSignal;
}

/** A line of a search. The last line is an `end`, with a reason and the position after which another request continues. */
type Line<Position> =
  | { readonly type: 'end'; readonly reason: EndReason; readonly after: Position }
  | { readonly type: 'start' | 'run' | 'hit' | 'progress' };

/**
 * Yields the lines of a search. After an `end` with reason `signed_out`, waits for a new token and continues with another
 * request, whose counts start at zero. Also continues after an `end` for which `goesOn` returns true.
 */
export async function* whileSignedIn<Position, Frame extends Line<Position>>({
  after,
  open,
  goesOn = () => false,
  renewed,
  signal,
}: ContinuedSearch<Frame, Position>): AsyncGenerator<Frame> {
  let position = after;
  for (;;) {
    const opened = performance.now();
    let isSignedOut = false;
    let isGoingOn = false;
    for await (const frame of open(position)) {
      yield frame;
      if (frame.type !== 'end') continue;
      isSignedOut = frame.reason === 'signed_out';
      isGoingOn = goesOn(frame);
      position = frame.after;
    }
    if (isSignedOut && renewed) await renewed(opened, signal);
    else if (!isGoingOn) return;
  }
}
