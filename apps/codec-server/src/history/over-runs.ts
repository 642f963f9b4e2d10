import type { EndReason, WorkflowSummary } from '@temporal-kms/codec-api';
import type { Logger } from 'pino';
import { PROGRESS_MS, type StreamLifetime, streamEnd } from './stream-limits.ts';

/**
 * Number of runs that are read at a time. Each run holds at most a page of history and the events in flight.
 */
const CONCURRENT_RUNS = 8;

/**
 * A stream over runs ends once more than this many consecutive runs could not be read, for example because
 * their retention period has ended.
 */
const MAX_FAILURES = 3;

/** A page of runs that match the query, and the token with which the page was read. */
export interface RunPage {
  readonly runs: readonly WorkflowSummary[];
  readonly token: string;
  readonly next: string | undefined;
}

/** The runs that match a query, in the order in which Temporal lists them. */
interface ListedRuns {
  /** The value of `after` in the request: the position of the last run that an earlier request covered. */
  readonly after: string | undefined;
  /** Returns the page of runs that a token reads. The token is empty for the first page. */
  readonly page: (token: string) => Promise<RunPage>;
  /** Called with the runs that will be read next, in the list's order. */
  readonly prepare?: (runs: readonly WorkflowSummary[]) => void;
  /** Cancels visits in progress once their results are no longer needed. */
  readonly stop: () => void;
}

/** The result of visiting a run. */
export type Visited<T> =
  | { readonly status: 'read'; readonly value: T }
  /** The run does not belong to the result. */
  | { readonly status: 'none' }
  /**
   * The budget of Cloud KMS calls is used up. The next request gets further, because the keys are then
   * cached.
   */
  | { readonly status: 'limit' }
  /** The run could not be read. The message is shown to people. */
  | { readonly status: 'failed'; readonly message?: string | undefined };

/** A run with the result of its visit. */
interface VisitedRun<T> {
  readonly run: WorkflowSummary;
  /** The position after this run, from which a later request continues. */
  readonly position: string;
  readonly result: T;
}

/** The position before the first run. */
const FIRST_POSITION = '.';

/** Returns the token of the page that contains a position. */
export const pageTokenOf = (position: string | undefined): string => position?.split('.')[0] ?? '';

const positionOf = (token: string, runId: string): string => `${token}.${runId}`;

/**
 * Visits a list's runs after a position, several at a time, and yields the results in the list's order. A
 * request that continues at a result's position misses no run. Such a request repeats runs only if the list
 * has changed so much that the last run is now on another page.
 */
async function* overRuns<T>(
  options: ListedRuns,
  visit: (run: WorkflowSummary) => Promise<T>,
): AsyncGenerator<VisitedRun<T>, void> {
  const runs = runsAfter(options);
  const queue: Promise<VisitedRun<T>>[] = [];
  let listed = false;
  try {
    for (;;) {
      while (!listed && queue.length < CONCURRENT_RUNS) {
        const { done, value } = await runs.next();
        if (done) listed = true;
        else {
          const visited = visit(value.run).then((result) => ({ ...value, result }));
          // Prevents an unhandled rejection if the stream ends before the result is awaited below.
          visited.catch(() => undefined);
          queue.push(visited);
        }
      }
      const [first] = queue;
      if (first === undefined) return;
      const visited = await first;
      void queue.shift();
      yield visited;
    }
  } finally {
    options.stop();
    await runs.return();
    // Waits for all visits, because each one writes its outcome to the audit.
    await Promise.allSettled(queue);
  }
}

/** The runs of a stream, and the time for which the stream may continue. */
export interface RunsStream extends ListedRuns {
  readonly log: Logger;
  readonly lifetime: StreamLifetime;
}

/** The part of the list that a request has covered so far. */
interface Covered {
  /**
   * The position after the last covered run. A run is covered if all its lines were yielded or if the run
   * could not be read.
   */
  readonly after: string;
  /** Number of runs that were read. */
  readonly runs: number;
  /** Number of runs that could not be read. */
  readonly failed: number;
}

interface FramesOverRuns<T, Frame> extends RunsStream {
  /** The stream's name in the log. */
  readonly stream: string;
  readonly visit: (run: WorkflowSummary) => Promise<Visited<T>>;
  /** Returns the lines of a run that was read. */
  readonly lines: (value: T, run: WorkflowSummary, position: string) => Iterable<Frame>;
  /** Returns whether the stream has reached a limit. */
  readonly isFull?: (covered: Covered) => boolean;
  readonly progress?: (covered: Covered) => Frame;
  readonly end: (end: Covered & { readonly reason: EndReason; readonly message?: string }) => Frame;
}

/**
 * Visits a list's runs like `overRuns`, and yields their lines, progress, and finally an `end` frame. A run
 * that cannot be read does not end the stream.
 */
export async function* framesOverRuns<T, Frame>({
  log,
  lifetime,
  stream,
  visit,
  lines,
  isFull,
  progress,
  end,
  ...listed
}: FramesOverRuns<T, Frame>): AsyncGenerator<Frame, void> {
  let covered: Covered = { after: listed.after ?? FIRST_POSITION, runs: 0, failed: 0 };
  let lastProgress = Date.now();
  let failures = 0;
  try {
    for await (const { run, position, result } of overRuns(listed, visit)) {
      await lifetime.checkpoint();
      // Ends the stream before it yields the run's lines, because a client must not get lines that a
      // continued request would repeat.
      if (lifetime.interruption() !== undefined) throw new Error('The stream has to end.');
      if (result.status === 'limit') {
        yield end({ reason: 'limit', ...covered });
        return;
      }
      if (result.status === 'failed') {
        covered = { ...covered, after: position, failed: covered.failed + 1 };
        failures += 1;
        if (failures <= MAX_FAILURES) continue;
        yield end({ reason: 'error', ...covered, ...(result.message && { message: result.message }) });
        return;
      }
      failures = 0;
      if (result.status === 'read') yield* lines(result.value, run, position);
      covered = { ...covered, after: position, runs: covered.runs + (result.status === 'read' ? 1 : 0) };
      if (isFull?.(covered)) {
        yield end({ reason: 'limit', ...covered });
        return;
      }
      if (progress === undefined || Date.now() - lastProgress < PROGRESS_MS) continue;
      lastProgress = Date.now();
      yield progress(covered);
    }
    yield end({ reason: 'complete', ...covered });
  } catch (error) {
    const last = streamEnd(error, lifetime, log, stream);
    if (last !== undefined) yield end({ ...last, ...covered });
  }
}

/**
 * Returns the result for a run that could not be read, for example because its retention period has ended
 * since the list was read.
 * @throws the error if the whole stream has to end
 */
export function unreadRun(
  error: unknown,
  { lifetime, log }: Pick<RunsStream, 'lifetime' | 'log'>,
  stream: string,
): Extract<Visited<never>, { status: 'failed' }> {
  const end = streamEnd(error, lifetime, log, stream);
  if (end?.reason !== 'error') throw error;
  return { status: 'failed', message: end.message };
}

/** Yields the runs after a position. */
async function* runsAfter({
  after,
  page,
  prepare,
}: ListedRuns): AsyncGenerator<Pick<VisitedRun<unknown>, 'run' | 'position'>, void> {
  const first = pageTokenOf(after);
  const lastRun = after?.split('.')[1];
  let token: string | undefined = first;
  while (token !== undefined) {
    const { runs, next }: RunPage = await page(token);
    const last = token === first ? runs.findIndex(({ runId }) => runId === lastRun) : -1;
    const rest = runs.slice(last + 1);
    prepare?.(rest);
    for (const run of rest) yield { run, position: positionOf(token, run.runId) };
    token = next;
  }
}
