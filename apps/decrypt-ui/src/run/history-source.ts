import type { ApiClient, RunAddress } from '../api/client.ts';

/** Where the events of a run come from: the API, or a file. */
export interface HistorySource {
  /**
   * Opens the events after an event, as NDJSON whose lines are the contract's `historyFrame`.
   * @throws ApiFailure
   */
  readonly open: (after: number, signal: AbortSignal) => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
}

/** The history of a run on the server, followed while the run is open. */
export const apiHistory = (api: Pick<ApiClient, 'history'>, address: RunAddress): HistorySource => ({
  open: (after, signal) => api.history(address, { after, live: true }, signal),
});
