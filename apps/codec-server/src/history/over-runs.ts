import type { WorkflowSummary } from '@temporal-kms/codec-api';

/** Number of runs that are read at a time. Each holds at most a page of history and the events in flight. */
const CONCURRENT_RUNS = 8;

/**
 * A stream over runs ends once more than this many consecutive runs could not be read, for example because of
 * their retention period.
 */
export const MAX_FAILURES = 3;

/** A page of runs that match the query, and the token with which the page was read. */
export interface RunPage {
  readonly runs: readonly WorkflowSummary[];
  readonly token: string;
  readonly next: string | undefined;
}

/** The runs that match a query, in the order of the list. */
export interface ListedRuns {
  /** The position of the last run of an earlier request; `after` of the request. */
  readonly after: string | undefined;
  /** Returns the page of runs for a token. The token is empty for the first page. */
  readonly page: (token: string) => Promise<RunPage>;
  /** Called with the runs that are read next, in their order. */
  readonly prepare?: (runs: readonly WorkflowSummary[]) => void;
  /** Cancels runs in progress once their results are no longer needed. */
  readonly stop: () => void;
}

/** A run with what was found in it. */
export interface VisitedRun<T> {
  readonly run: WorkflowSummary;
  /** The position after this run, with which a later request continues. */
  readonly position: string;
  readonly result: T;
}

/** The position before the first run. */
export const FIRST_POSITION = '.';

/** Returns the token of the page that contains a position. */
export const pageTokenOf = (position: string | undefined): string => position?.split('.')[0] ?? '';

const positionOf = (token: string, runId: string): string => `${token}.${runId}`;

/**
 * Visits a list's runs after a position, several at a time, and yields the results in the order of the list.
 * Continuing at a result's position misses no run, and repeats runs only if the list has changed so much that
 * the last run is on another page.
 */
export async function* overRuns<T>(
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
