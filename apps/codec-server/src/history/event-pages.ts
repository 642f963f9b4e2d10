import { eventIdOf, type ProtoEvent } from '@temporal-kms/histories/payloads';
import { HttpError } from '../errors.ts';
import type { EventRange, HistoryReader, Run } from './reader.ts';
import type { StreamLifetime } from './stream-limits.ts';

type Reader = Pick<HistoryReader, 'read'>;

/** A run's durable events, usually up to a few hundred. The events hold memory until the page is released. */
export interface EventPage {
  readonly events: readonly ProtoEvent[];
  readonly release: () => void;
}

/** Part of a run's history, in pages. The consumer must release each page. */
export type EventPages = AsyncGenerator<EventPage, void>;

/** Reads at most one page. The page's memory is reserved in `memory` until the page is released. */
export async function readPage(
  reader: Reader,
  run: Run,
  from: number,
  { signal, memory }: Pick<StreamLifetime, 'signal' | 'memory'>,
): Promise<EventRange & EventPage> {
  const lease = memory.pageLease();
  try {
    const range = await reader.read(run, from, signal, {
      reserve: (bytes) => lease.wait(Math.min(bytes, memory.pageShare), signal),
    });
    return { ...range, release: () => lease.end() };
  } catch (error) {
    lease.end();
    throw error;
  }
}

/**
 * Yields the events `first` to `last`, page by page.
 * @throws HttpError `temporal_unavailable` if an event is missing, so that no caller mistakes a gap for the
 * end of the history
 */
export async function* ascending(
  reader: Reader,
  run: Run,
  first: number,
  last: number,
  lifetime: Pick<StreamLifetime, 'signal' | 'memory'>,
): EventPages {
  for (let next = first; next <= last;) {
    const { events, release } = await readUpTo(reader, run, next, last, lifetime);
    next = eventIdOf(events.at(-1) ?? {}) + 1;
    yield { events, release };
  }
}

async function readUpTo(
  reader: Reader,
  run: Run,
  from: number,
  last: number,
  lifetime: Pick<StreamLifetime, 'signal' | 'memory'>,
): Promise<EventPage> {
  const { events, release } = await readPage(reader, run, from, lifetime);
  const wanted = events.filter((event) => eventIdOf(event) <= last);
  if (wanted.length > 0) return { events: wanted, release };
  release();
  throw new HttpError(
    503,
    'temporal_unavailable',
    `Temporal returned no event ${from}, although the run has ${last} events; try again.`,
  );
}

/** Yields one page with events that the caller already holds, last event first. */
export async function* heldEvents(events: readonly ProtoEvent[]): EventPages {
  yield { events: events.toSorted((a, b) => eventIdOf(b) - eventIdOf(a)), release: () => undefined };
}

const MAX_STEP = 256;

/**
 * Yields the events from `first` down to 1. If no pages are cached, the reader first walks to the end once
 * and caches the pages.
 *
 * Only a reader that has read a page from its start knows where the page ends. Each step therefore guesses
 * from the size of the previous pages how far to go back, and from there reads forward to the last event
 * that has not been yielded. Never holds more than one page: streams that hold a page while they wait for
 * memory for the next page would wait for each other.
 */
export async function* descending(
  reader: Reader,
  run: Run,
  first: number,
  lifetime: Pick<StreamLifetime, 'signal' | 'memory'>,
): EventPages {
  let step = MAX_STEP;
  for (let high = first; high >= 1;) {
    const low = Math.max(1, high - step + 1);
    let from = low;
    for (;;) {
      const { events, release } = await readUpTo(reader, run, from, high, lifetime);
      const last = eventIdOf(events.at(-1) ?? {});
      if (last === high) {
        step = from === low ? Math.min(MAX_STEP, step * 2) : events.length;
        high = from - 1;
        yield { events: events.toReversed(), release };
        break;
      }
      release();
      from = last + 1;
    }
  }
}

/**
 * Yields the events of pages and releases the pages. Reads the next page while the consumer works on the
 * current page.
 */
export async function* prefetch(pages: EventPages): AsyncGenerator<readonly ProtoEvent[], void> {
  let next = pages.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = pages.next();
      // Prevents an unhandled rejection before the `await` above, or if the consumer stops here.
      next.catch(() => undefined);
      try {
        yield value.events;
      } finally {
        value.release();
      }
    }
  } finally {
    next.then(
      ({ value }) => value?.release(),
      () => undefined,
    );
    void pages.return();
  }
}
