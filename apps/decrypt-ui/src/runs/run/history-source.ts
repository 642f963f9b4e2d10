import type { RunAddress } from '../../session/server/addresses.ts';
import type { RunApi } from '../api.ts';

/** Where the events of a run come from: the API, or a file. */
export interface HistorySource {
  /**
   * Opens the events after an event, as NDJSON whose lines are the contract's `historyFrame`. The first stream may end with
   * `limit`.
   * @throws ApiFailure
   */
  readonly open: (after: number, signal: AbortSignal) => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
  /**
   * Resolves when the stream can be opened again, after it has ended because a token expired; absent: it cannot.
   *
   * @param opened when the stream was opened, in milliseconds of `performance.now()`
   * @throws ApiFailure
   */
  readonly renewed?: (opened: number, signal: AbortSignal) => Promise<void>;
  /** A stream without a line for this many milliseconds is broken; absent: it may be silent. */
  readonly silence?: number;
}

/** Three heartbeats of the codec server. A connection that breaks without a word ends a stream otherwise after minutes. */
const SILENCE = 30_000;

/** Events of the first stream: in most histories, their rows fill a screen. `public/early.js` sends the same request. */
const FIRST_EVENTS = 200;

/** The history of a run on the server, followed while the run is open. */
export const apiHistory = (
  { history, renewed }: Pick<RunApi, 'history' | 'renewed'>,
  address: RunAddress,
): HistorySource => ({
  open: (after, signal) =>
    history(address, { after, live: true, ...(after === 0 && { limit: FIRST_EVENTS }) }, signal),
  silence: SILENCE,
  ...(renewed && { renewed }),
});
