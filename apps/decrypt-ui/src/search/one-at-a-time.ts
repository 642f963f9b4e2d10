import type { ApiFailure } from '../session/server/failure.ts';

/** `limit`: the server reached a limit on time, hits or cost, or is shutting down. The user can continue. */
export type ReadStatus = 'running' | 'complete' | 'limit' | 'stopped' | 'failed';

/** The position up to which a stream has been read, and whether reading continues. */
export interface Progress<Position> {
  readonly status: ReadStatus;
  /** The server's position after the last item that was read completely. */
  readonly after: Position | undefined;
  readonly failure?: ApiFailure | undefined;
}

/** Ensures that only one task runs at a time: starting a task aborts the previous task. */
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

/** Returns the state after the user has stopped reading. */
export const stopped = <Now extends Progress<unknown> | undefined>(now: Now): Now =>
  now?.status === 'running' ? { ...now, status: 'stopped' } : now;
