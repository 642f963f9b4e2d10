import { HttpError } from '../errors.ts';
import { eventIdOf, type ProtoEvent } from './event.ts';
import type { HistoryReader, Run } from './reader.ts';

type Reader = Pick<HistoryReader, 'read'>;

/** Events of a closed stretch of a run, in lists of some hundreds. Durable ones only. */
export type EventPages = AsyncGenerator<readonly ProtoEvent[], void>;

/** From `first` up to `last`. @throws HttpError where the history doesn't have them: what is missing is never passed off as the end */
export async function* upward(
  reader: Reader,
  run: Run,
  first: number,
  last: number,
  signal: AbortSignal,
): EventPages {
  let next = first;
  while (next <= last) {
    const { events } = await reader.read(run, next, signal);
    const wanted = events.filter((event) => eventIdOf(event) <= last);
    if (wanted.length === 0)
      throw new HttpError(
        503,
        'temporal_unavailable',
        `Temporal gave no event ${next}, though the run has ${last}.`,
      );
    yield wanted;
    next = eventIdOf(wanted.at(-1) ?? {}) + 1;
  }
}

const STEP = 256;

/**
 * From `first` down to event 1. A reader that doesn't know the pages yet walks to the end once and keeps them; from
 * then on each step back is read by its own page.
 */
export async function* downward(reader: Reader, run: Run, first: number, signal: AbortSignal): EventPages {
  for (let high = first; high >= 1; high -= STEP) {
    const step: ProtoEvent[] = [];
    for await (const page of upward(reader, run, Math.max(1, high - STEP + 1), high, signal))
      step.push(...page);
    yield step.toReversed();
  }
}

/** The same pages, each asked for while the one before is worked on. */
export async function* oneAhead(pages: EventPages): EventPages {
  let next = pages.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = pages.next();
      // Heard again, or not at all when the reader stops here.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    void pages.return();
  }
}
