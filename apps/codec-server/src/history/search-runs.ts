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
import { type StreamLifetime, streamEnd } from './stream-limits.ts';

/**
 * Number of runs that are searched at a time. Each search holds at most a page of history and the events in
 * flight.
 */
const CONCURRENT_RUNS = 8;

/** Maximum number of hits in one run. A search of that run finds the rest. */
export const MAX_RUN_HITS = 50;

/**
 * How many events of one run are searched, newest first. At this length, Temporal suggests that a workflow
 * continues as new.
 */
export const MAX_RUN_EVENTS = 4_096;

/**
 * The search ends after this many consecutive runs that could not be read, for example because of their
 * retention period.
 */
const MAX_FAILURES = 3;

const PROGRESS_MS = 250;

/** A page of runs that match the query, and the token with which the page was read. */
export interface RunPage {
  readonly runs: readonly WorkflowSummary[];
  readonly token: string;
  readonly next: string | undefined;
}

export interface SearchRunsOptions {
  readonly log: Logger;
  readonly lifetime: StreamLifetime;
  /** `after` of the request. */
  readonly after: string | undefined;
  /** Returns the page of runs for a token. The token is empty for the first page. */
  readonly page: (token: string) => Promise<RunPage>;
  /** Called with the runs that are searched next, in their order. */
  readonly prepare: (runs: readonly WorkflowSummary[]) => void;
  /** Searches a run. The caller consumes the frames immediately. */
  readonly search: (run: WorkflowSummary) => AsyncIterable<SearchFrame>;
  /** Ends the searches in progress, once their results are not needed any more. */
  readonly stop: () => void;
}

/** A run's hits, and what its search covered. */
interface SearchedRun {
  readonly run: WorkflowSummary;
  readonly token: string;
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
  const { lifetime, log } = options;
  const [token = '', lastRun = ''] = (options.after ?? '').split('.');
  const covered = new Coverage(positionOf(token, lastRun));
  let lastProgress = Date.now();
  let failures = 0;
  try {
    for await (const searched of inOrder(runsAfter(options, token, lastRun), options)) {
      await lifetime.checkpoint();
      const { run, end, hits } = searched;
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

const positionOf = (token: string, runId: string): string => `${token}.${runId}`;

interface ListedRun {
  readonly run: WorkflowSummary;
  readonly token: string;
}

/** Yields the runs after a position. */
async function* runsAfter(
  { page, prepare }: Pick<SearchRunsOptions, 'page' | 'prepare'>,
  first: string,
  lastRun: string,
): AsyncGenerator<ListedRun, void> {
  let token: string | undefined = first;
  while (token !== undefined) {
    const { runs, next }: RunPage = await page(token);
    const last = token === first ? runs.findIndex(({ runId }) => runId === lastRun) : -1;
    const rest = runs.slice(last + 1);
    prepare(rest);
    for (const run of rest) yield { run, token };
    token = next;
  }
}

/** Searches the runs, several at a time, and yields the results in the order of the runs. */
async function* inOrder(
  runs: AsyncGenerator<ListedRun, void>,
  { search, stop }: Pick<SearchRunsOptions, 'search' | 'stop'>,
): AsyncGenerator<SearchedRun, void> {
  const queue: Promise<SearchedRun>[] = [];
  let listed = false;
  try {
    for (;;) {
      while (!listed && queue.length < CONCURRENT_RUNS) {
        const { done, value } = await runs.next();
        if (done) listed = true;
        else {
          const searched = searchRun(value, search);
          // Prevents an unhandled rejection if the stream ends before the result is awaited below.
          searched.catch(() => undefined);
          queue.push(searched);
        }
      }
      const [first] = queue;
      if (first === undefined) return;
      const searched = await first;
      void queue.shift();
      yield searched;
    }
  } finally {
    stop();
    await runs.return();
    // Waits for all searches, because each one writes its outcome to the audit.
    await Promise.allSettled(queue);
  }
}

async function searchRun(
  { run, token }: ListedRun,
  search: SearchRunsOptions['search'],
): Promise<SearchedRun> {
  const hits: SearchHit[] = [];
  let end: SearchedRun['end'] | undefined;
  // Reads beyond `end`, although no line follows, because the audit would otherwise record the stream as cut
  // off.
  for await (const frame of search(run)) {
    if (frame.type === 'hit') hits.push(frame);
    else if (frame.type === 'end') end = frame;
  }
  if (end === undefined) throw new Error('The search of a run ended without a last frame.');
  return { run, token, hits, end };
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

  add({ run, token, hits, end }: SearchedRun, partial: boolean): void {
    this.#after = positionOf(token, run.runId);
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

  addFailure({ run, token }: SearchedRun): void {
    this.#after = positionOf(token, run.runId);
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
