import { MAX_HITS, type ReasonCounts, type SearchFrame, type SearchRequest } from '@temporal-kms/codec-api';
import { count } from '../reason-counts.ts';
import { endOf } from './ending.ts';
import type { TextMatch } from './find-text.ts';
import { KeyBudget } from './key-budget.ts';
import { openEvents, type OpenedPayload, type OpenEventsOptions } from './opened-events.ts';
import type { HistoryReader } from './reader.ts';
import { downward, upward } from './run-events.ts';
import type { TextThreads } from './text-threads.ts';

export interface SearchOptions extends Omit<OpenEventsOptions, 'budget'> {
  readonly reader: Pick<HistoryReader, 'read'>;
  readonly threads: Pick<TextThreads, 'find'>;
  readonly request: SearchRequest;
  /** Events that the history had when it was asked for. */
  readonly length: number;
}

const PROGRESS_MS = 250;

/**
 * Looks for text in a run's decrypted payloads, event by event. Ends after an event, so that a search that goes on
 * from there tells no hit twice.
 */
export async function* searchFrames(options: SearchOptions): AsyncGenerator<SearchFrame, void> {
  const { reader, threads, codec, run, request, length, lifetime, log } = options;
  const newest = request.order === 'newest_first';
  const searched = new Searched();
  const budget = new KeyBudget(codec);
  let after = request.after ?? (newest ? length + 1 : 0);
  let hits = 0;
  let told = Date.now();

  const pages = newest
    ? downward(reader, run, Math.min(after - 1, length), lifetime.signal)
    : upward(reader, run, after + 1, length, lifetime.signal);
  try {
    for await (const event of openEvents({ ...options, budget }, pages)) {
      searched.event();
      for (const payload of event.payloads) {
        await lifetime.step();
        const matches = await matchesIn(threads, request, payload, lifetime.signal);
        searched.payload(payload, matches);
        for (const match of matches ?? []) {
          hits += 1;
          yield hitOf(event.eventId, payload, match);
        }
      }
      await lifetime.step();
      after = event.eventId;
      if (hits >= MAX_HITS) {
        yield { type: 'end', reason: 'limit', after, hits, ...searched.counts() };
        return;
      }
      if (Date.now() - told >= PROGRESS_MS) {
        told = Date.now();
        yield { type: 'progress', after, of: length, ...searched.counts() };
      }
    }
    yield { type: 'end', reason: budget.isSpent ? 'limit' : 'complete', after, hits, ...searched.counts() };
  } catch (error) {
    const end = endOf(error, lifetime, log, 'search');
    if (end !== undefined) yield { type: 'end', ...end, after, hits, ...searched.counts() };
  }
}

/** Undefined where the payload is unreadable, or takes too much to be searched. */
function matchesIn(
  threads: SearchOptions['threads'],
  request: SearchRequest,
  { found, opened }: OpenedPayload,
  signal: AbortSignal,
): ReturnType<TextThreads['find']> | undefined {
  if (!opened.ok) return undefined;
  // What was not encrypted is a view of its page of the history.
  const isOwn = opened.payload.data?.buffer !== found.payload.data?.buffer;
  return threads.find(request, opened.payload, isOwn, signal);
}

function hitOf(
  eventId: number,
  { ref, found, opened }: OpenedPayload,
  match: TextMatch,
): Extract<SearchFrame, { type: 'hit' }> {
  const key = opened.key === undefined ? {} : { key: opened.key };
  return { type: 'hit', ref, eventId, path: found.path, ...match, ...key };
}

/** What a search has looked at. */
class Searched {
  #events = 0;
  #payloads = 0;
  #bytes = 0;
  readonly #unreadable: ReasonCounts = {};

  event(): void {
    this.#events += 1;
  }

  /** @param matches undefined where it couldn't be searched */
  payload({ found, opened }: OpenedPayload, matches: readonly TextMatch[] | undefined): void {
    if (opened.ok && matches !== undefined) {
      this.#payloads += 1;
      this.#bytes += found.payload.data?.length ?? 0;
    } else {
      count(this.#unreadable, opened.ok ? 'too_large' : opened.reason);
    }
  }

  counts(): {
    events: number;
    payloads: number;
    bytes: number;
    unreadable: ReasonCounts;
  } {
    return {
      events: this.#events,
      payloads: this.#payloads,
      bytes: this.#bytes,
      unreadable: { ...this.#unreadable },
    };
  }
}
