import type { RunAddress } from '../../session/server/addresses.ts';
import type { RunApi } from '../api.ts';

/** The source of a run's events: the API or a file. */
export interface HistorySource {
  /**
   * Opens a stream of the events after an event, as NDJSON with the contract's `historyFrame` on each line.
   * The first stream may end early, with the reason `limit`.
   * @throws ApiFailure
   */
  readonly open: (after: number, signal: AbortSignal) => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
  /**
   * Call this method after a stream has ended because the stream's token expired. Resolves when the stream can
   * be opened again. The method is absent if streams cannot be opened again.
   *
   * @param opened when the stream was opened, as `performance.now()` returned it
   * @throws ApiFailure
   */
  readonly renewed?: (opened: number, signal: AbortSignal) => Promise<void>;
  /** A stream that sends no line for this many milliseconds counts as broken. If absent, there is no limit. */
  readonly silence?: number;
}

/**
 * Three heartbeat intervals of the codec server. Without this limit, a lost connection would end a stream
 * only after minutes.
 */
const SILENCE = 30_000;

/** Number of events in the first stream, whose rows usually fill a screen. `public/early.js` sends the same request. */
const FIRST_EVENTS = 200;

/** Returns the history of a run on the server, followed while the run is open. */
export const apiHistory = (
  { history, renewed }: Pick<RunApi, 'history' | 'renewed'>,
  address: RunAddress,
): HistorySource => ({
  open: (after, signal) =>
    history(address, { after, live: true, ...(after === 0 && { limit: FIRST_EVENTS }) }, signal),
  silence: SILENCE,
  ...(renewed && { renewed }),
});
