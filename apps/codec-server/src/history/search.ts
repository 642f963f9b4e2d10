import {
  countReason,
  MAX_HITS,
  type ReasonCounts,
  type SearchFrame,
  type SearchRequest,
} from '@temporal-kms/codec-api';
import { type DecryptedPayload, decryptEvents, type DecryptEventsOptions } from './decrypted-events.ts';
import type { HistoryCodec } from './decrypt-payload.ts';
import type { TextMatch } from './payload-text.ts';
import { ascending, descending, type EventPages } from './event-pages.ts';
import type { HistoryReader } from './reader.ts';
import { PROGRESS_MS, KmsCallBudget, streamEnd } from './stream-limits.ts';
import type { TextThreads } from './text-threads.ts';

export interface SearchOptions extends DecryptEventsOptions {
  readonly codec: HistoryCodec<'search'>;
  readonly reader: Pick<HistoryReader, 'read'>;
  readonly threads: Pick<TextThreads, 'find'>;
  readonly request: SearchRequest;
  /** The events to search, in the requested order. Default: the events that Temporal returns for the run. */
  readonly pages?: EventPages;
  /** Number of events in the history at the time of the request. */
  readonly length: number;
  /** The oldest event to search. Default: 1. */
  readonly oldest?: number;
  /** The budget that the searches of one request share. Default: a separate budget for this search. */
  readonly budget?: KmsCallBudget;
  /** Maximum number of hits. */
  readonly maxHits?: number;
}

/**
 * Searches a run's decrypted payloads event by event, and yields hits, progress, and an `end` frame with the
 * last event searched. A search that completes or reaches a limit ends between two events, so that a search
 * that continues from there repeats no hit.
 */
export async function* searchFrames(options: SearchOptions): AsyncGenerator<SearchFrame, void> {
  const { reader, threads, codec, run, request, length, lifetime, log } = options;
  const { oldest = 1, maxHits = MAX_HITS, budget = new KmsCallBudget(codec) } = options;
  const newestFirst = request.order === 'newest_first';
  const counts = new SearchCounts();
  let after = request.after ?? (newestFirst ? length + 1 : 0);
  let hits = 0;
  let lastProgress = Date.now();

  const pages =
    options.pages ??
    (newestFirst
      ? descending(reader, run, Math.min(after - 1, length), lifetime)
      : ascending(reader, run, after + 1, length, lifetime));
  try {
    for await (const event of decryptEvents({ ...options, budget }, pages)) {
      if (event.eventId < oldest) break;
      counts.addEvent();
      for (const payload of event.payloads) {
        await lifetime.checkpoint();
        const matches = await matchesIn(threads, request, payload, lifetime.signal);
        counts.addPayload(payload, matches);
        for (const match of matches ?? []) {
          hits += 1;
          yield hitFrame(event.eventId, payload, match);
        }
      }
      await lifetime.checkpoint();
      after = event.eventId;
      if (hits >= maxHits) {
        yield { type: 'end', reason: 'limit', after, hits, ...counts.value(), kmsCalls: budget.used };
        return;
      }
      if (Date.now() - lastProgress >= PROGRESS_MS) {
        lastProgress = Date.now();
        yield { type: 'progress', after, of: length, ...counts.value(), kmsCalls: budget.used };
      }
    }
    const reason = budget.isExhausted ? 'limit' : 'complete';
    yield { type: 'end', reason, after, hits, ...counts.value(), kmsCalls: budget.used };
  } catch (error) {
    const end = streamEnd(error, lifetime, log, 'search');
    if (end !== undefined)
      yield { type: 'end', ...end, after, hits, ...counts.value(), kmsCalls: budget.used };
  }
}

/** Returns undefined if the payload could not be decrypted or exceeds a limit for searches. */
function matchesIn(
  threads: SearchOptions['threads'],
  request: SearchRequest,
  { stored, result }: DecryptedPayload,
  signal: AbortSignal,
): ReturnType<TextThreads['find']> | undefined {
  if (!result.ok) return undefined;
  // The bytes of a payload that was not encrypted are a view of the history page, and must not be
  // transferred.
  const canTransfer = result.payload.data?.buffer !== stored.payload.data?.buffer;
  return threads.find(request, result.payload, canTransfer, signal);
}

function hitFrame(
  eventId: number,
  { ref, stored, result }: DecryptedPayload,
  match: TextMatch,
): Extract<SearchFrame, { type: 'hit' }> {
  const key = result.key === undefined ? {} : { key: result.key };
  const read = result.ok && result.retrieved ? { stored: true as const } : {};
  return { type: 'hit', ref, eventId, path: stored.path, ...match, ...key, ...read };
}

/** Counts how much the search has covered so far. */
class SearchCounts {
  #events = 0;
  #payloads = 0;
  #bytes = 0;
  readonly #unreadable: ReasonCounts = {};

  addEvent(): void {
    this.#events += 1;
  }

  /** @param matches undefined if the payload could not be searched */
  addPayload({ stored, result }: DecryptedPayload, matches: readonly TextMatch[] | undefined): void {
    if (result.ok && matches !== undefined) {
      this.#payloads += 1;
      this.#bytes += stored.payload.data?.length ?? 0;
    } else {
      countReason(this.#unreadable, result.ok ? 'too_large' : result.reason);
    }
  }

  value(): { events: number; payloads: number; bytes: number; unreadable: ReasonCounts } {
    return {
      events: this.#events,
      payloads: this.#payloads,
      bytes: this.#bytes,
      unreadable: { ...this.#unreadable },
    };
  }
}
