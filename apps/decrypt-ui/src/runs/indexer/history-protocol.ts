import type { HistoryFrame } from '@temporal-kms/codec-api';
import type { HistoryDelta } from '../events/history-indexer.ts';
import type { RunTimes } from './run-times.ts';

/*
 * The messages between the page and the worker that parses and groups histories. Each run has its own channel. Bodies are
 * numbered, because the rest of an aborted body may still arrive after the next body has begun.
 */

/** One end of the channel: the part of `MessagePort` that is used. */
export interface IndexPort<Received> {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<Received>) => void): void;
  start(): void;
  close(): void;
}

/** The last line of a stream of events. */
export type HistoryEnd = Extract<HistoryFrame, { type: 'end' }>;

/** A message from the page to the worker. */
export type IndexRequest =
  | { readonly type: 'body'; readonly body: number }
  | { readonly type: 'chunk'; readonly body: number; readonly bytes: Uint8Array<ArrayBuffer> }
  /** The body has ended. */
  | { readonly type: 'eof'; readonly body: number }
  /**
   * Searches the names of current and later events for all of the words. If `words` is empty, ends the
   * search.
   */
  | { readonly type: 'find'; readonly search: number; readonly words: readonly string[] }
  /** Asks where the run's time went, given the events so far. `now` is in milliseconds since 1970. */
  | { readonly type: 'times'; readonly question: number; readonly now: number }
  | { readonly type: 'close' };

/** A message from the worker to the page. */
export type IndexReply =
  /** Changes the history, whichever body the events came from. */
  | { readonly type: 'delta'; readonly delta: HistoryDelta }
  | { readonly type: 'heartbeat'; readonly body: number }
  /** The worker has parsed this many bytes. */
  | { readonly type: 'taken'; readonly body: number; readonly bytes: number }
  /** The worker has processed the body's last line. */
  | { readonly type: 'ended'; readonly body: number; readonly end?: HistoryEnd }
  | {
      readonly type: 'failed';
      readonly body: number;
      /** `gap`: the stream must be opened again. `contract`: the server sent something that the contract does not allow. */
      readonly cause: 'gap' | 'contract';
      readonly message: string;
    }
  | { readonly type: 'times'; readonly question: number; readonly times: RunTimes }
  /** Events whose names match the search. More may follow as events arrive. `from` is the first event that was searched. */
  | {
      readonly type: 'found';
      readonly search: number;
      readonly from: number;
      readonly eventIds: readonly number[];
    };
