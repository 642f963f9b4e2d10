import { MAX_HITS, type ReasonCounts, type SearchFrame, type SearchRequest } from '@temporal-kms/codec-api';
import { count } from '../reason-counts.ts';
import { endOf } from './ending.ts';
import { textFinder } from './find-text.ts';
import { KeyBudget } from './key-budget.ts';
import { openEvents, type OpenedEvent, type OpenEventsOptions } from './opened-events.ts';
import type { HistoryReader } from './reader.ts';
import { downward, upward } from './run-events.ts';

export interface SearchOptions extends Omit<OpenEventsOptions, 'budget'> {
  readonly reader: Pick<HistoryReader, 'read'>;
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
  const { reader, codec, run, request, length, lifetime, log } = options;
  const newest = request.order === 'newest_first';
  const find = textFinder(request.text, request.caseSensitive);
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
      await lifetime.step();
      searched.add(event);
      for (const hit of hitsIn(event, find)) {
        hits += 1;
        yield hit;
      }
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

function* hitsIn(
  { eventId, payloads }: OpenedEvent,
  find: ReturnType<typeof textFinder>,
): Generator<Extract<SearchFrame, { type: 'hit' }>> {
  for (const { ref, found, opened } of payloads) {
    if (!opened.ok) continue;
    const key = opened.key === undefined ? {} : { key: opened.key };
    for (const match of find(opened.payload))
      yield { type: 'hit', ref, eventId, path: found.path, ...match, ...key };
  }
}

/** What a search has looked at. */
class Searched {
  #events = 0;
  #payloads = 0;
  #bytes = 0;
  readonly #unreadable: ReasonCounts = {};

  add({ payloads }: OpenedEvent): void {
    this.#events += 1;
    for (const { found, opened } of payloads) {
      if (opened.ok) {
        this.#payloads += 1;
        this.#bytes += found.payload.data?.length ?? 0;
      } else {
        count(this.#unreadable, opened.reason);
      }
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
