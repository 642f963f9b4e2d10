import {
  MAX_HITS,
  MAX_SEARCHED_RUNS,
  reasonCode,
  type ReasonCounts,
  type SearchFrame,
  type SearchHit,
  type WorkflowSearchFrame,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import type { Logger } from 'pino';
import { FIRST_POSITION, type ListedRuns, MAX_FAILURES, overRuns, type VisitedRun } from './over-runs.ts';
import { PROGRESS_MS, type StreamLifetime, streamEnd } from './stream-limits.ts';

/** Maximum number of hits in one run. A search of that run finds the rest. */
export const MAX_RUN_HITS = 50;

/**
 * How many events of one run are searched, newest first. At this length, Temporal suggests that a workflow
 * continues as new.
 */
export const MAX_RUN_EVENTS = 4_096;

export interface SearchRunsOptions extends ListedRuns {
  readonly log: Logger;
  readonly lifetime: StreamLifetime;
  /** Searches a run. The caller consumes the frames immediately. */
  readonly search: (run: WorkflowSummary) => AsyncIterable<SearchFrame>;
}

/** A run's hits, and what its search covered. */
interface SearchedRun {
  readonly hits: readonly SearchHit[];
  readonly end: Extract<SearchFrame, { type: 'end' }>;
}

/**
 * Searches a list's runs, several at a time, and yields the runs with hits in the order of the list. The
 * frames contain the position after the last completely yielded run. A search that continues there misses no
 * run, and repeats runs only if the list has changed so much that the last run is on another page.
 */
export async function* searchRunsFrames(
  options: SearchRunsOptions,
): AsyncGenerator<WorkflowSearchFrame, void> {
  const { lifetime, log, search } = options;
  const covered = new Coverage(options.after ?? FIRST_POSITION);
  let lastProgress = Date.now();
  let failures = 0;
  try {
    for await (const searched of overRuns(options, (run) => searchRun(search(run)))) {
      await lifetime.checkpoint();
      const {
        run,
        result: { end, hits },
      } = searched;
      // Checked before the run's hits are yielded: a client must not see hits that a continued search would
      // repeat.
      if (lifetime.interruption() !== undefined) throw new Error('The stream has to end.');
      if (end.reason === 'error') {
        failures += 1;
        covered.addFailure(searched);
        if (failures <= MAX_FAILURES) continue;
        yield {
          type: 'end',
          reason: 'error',
          ...covered.end(),
          ...(end.message && { message: end.message }),
        };
        return;
      }
      failures = 0;
      // The budget of Cloud KMS calls is used up. These keys are cached now, so the next request gets
      // further.
      if (end.reason !== 'complete' && end.hits < MAX_RUN_HITS) {
        yield { type: 'end', reason: 'limit', ...covered.end() };
        return;
      }
      const partial = end.after > 1;
      if (hits.length > 0) yield { type: 'run', workflow: run, hits: hits.length, partial };
      yield* hits;
      covered.add(searched, partial);
      if (covered.isFull()) {
        yield { type: 'end', reason: 'limit', ...covered.end() };
        return;
      }
      if (Date.now() - lastProgress < PROGRESS_MS) continue;
      lastProgress = Date.now();
      yield { type: 'progress', ...covered.value() };
    }
    yield { type: 'end', reason: 'complete', ...covered.end() };
  } catch (error) {
    const end = streamEnd(error, lifetime, log, 'search');
    if (end !== undefined) yield { type: 'end', ...end, ...covered.end() };
  }
}

/** Collects the hits of a run's search. */
async function searchRun(frames: AsyncIterable<SearchFrame>): Promise<SearchedRun> {
  const hits: SearchHit[] = [];
  let end: SearchedRun['end'] | undefined;
  // Reads beyond `end`, although no line follows, because the audit would otherwise record the stream as cut
  // off.
  for await (const frame of frames) {
    if (frame.type === 'hit') hits.push(frame);
    else if (frame.type === 'end') end = frame;
  }
  if (end === undefined) throw new Error('The search of a run ended without a last frame.');
  return { hits, end };
}

/** What the search has covered so far. */
class Coverage {
  #after: string;
  #runs = 0;
  #partial = 0;
  #failed = 0;
  #hits = 0;
  #events = 0;
  #payloads = 0;
  #bytes = 0;
  #kmsCalls = 0;
  readonly #unreadable: ReasonCounts = {};

  constructor(after: string) {
    this.#after = after;
  }

  add({ position, result: { hits, end } }: VisitedRun<SearchedRun>, partial: boolean): void {
    this.#after = position;
    this.#runs += 1;
    this.#partial += partial ? 1 : 0;
    this.#hits += hits.length;
    this.#events += end.events;
    this.#payloads += end.payloads;
    this.#bytes += end.bytes;
    // The searches of one request share the budget of calls.
    this.#kmsCalls = Math.max(this.#kmsCalls, end.kmsCalls);
    for (const code of reasonCode.options) {
      const count = end.unreadable[code] ?? 0;
      if (count > 0) this.#unreadable[code] = (this.#unreadable[code] ?? 0) + count;
    }
  }

  addFailure({ position }: VisitedRun<SearchedRun>): void {
    this.#after = position;
    this.#failed += 1;
  }

  isFull(): boolean {
    return this.#hits >= MAX_HITS || this.#runs >= MAX_SEARCHED_RUNS;
  }

  value(): Omit<Extract<WorkflowSearchFrame, { type: 'progress' }>, 'type'> {
    return {
      after: this.#after,
      runs: this.#runs,
      hits: this.#hits,
      events: this.#events,
      payloads: this.#payloads,
      bytes: this.#bytes,
      kmsCalls: this.#kmsCalls,
      unreadable: { ...this.#unreadable },
    };
  }

  end(): Omit<Extract<WorkflowSearchFrame, { type: 'end' }>, 'type' | 'reason' | 'message'> {
    return { ...this.value(), partial: this.#partial, failed: this.#failed };
  }
}
