import type { ApiFailure } from '../session/server/failure.ts';

/** `limit`: the server reached a limit on time, hits or cost. The reader can continue. */
export type ReadStatus = 'running' | 'complete' | 'limit' | 'stopped' | 'failed';

/** What was read, and whether reading continues. */
export interface Progress<Position> {
  readonly status: ReadStatus;
  /** The server's position after what was completely read. */
  readonly after: Position | undefined;
  readonly failure?: ApiFailure | undefined;
}

/** Aborts what has begun before when something else begins. */
export function oneAtATime() {
  let current = new AbortController();
  return {
    begin(): AbortSignal {
      current.abort();
      current = new AbortController();
      return current.signal;
    },
    stop: () => current.abort(),
  };
}

/** Returns the state after the reader has stopped reading. */
export const stopped = <Now extends Progress<unknown> | undefined>(now: Now): Now =>
  now?.status === 'running' ? { ...now, status: 'stopped' } : now;
