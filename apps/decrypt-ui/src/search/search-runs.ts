import type { SearchHit, WorkflowSearchFrame, WorkflowSummary } from '@temporal-kms/codec-api';
import type { SearchApi } from './api.ts';
import { nothingSearched, sum } from './payload-search.ts';
import { hasRead, readOn } from './read-on.ts';
import type { FoundRun, RunsSearch, RunsSearchProgress, SearchedRuns } from './runs-search.ts';

/** Returns the functions that start and continue a search. This code loads with the search panel, not with the list. */
export function searchRuns(
  { store, reading }: Pick<RunsSearch, 'store' | 'reading'>,
  { searchWorkflows, renewed }: Pick<SearchApi, 'searchWorkflows' | 'renewed'>,
) {
  function run(known: RunsSearchProgress, before: readonly FoundRun[]) {
    const signal = reading.begin();
    const { namespace, query, text, caseSensitive, justification } = known;
    const found = new Map(before.map((each) => [each.workflow.runId, each]));
    let current: { readonly workflow: WorkflowSummary; hits: SearchHit[]; partial: boolean } | undefined;
    const body = { text, caseSensitive, query, ...(justification && { justification }) };
    void readOn<string, WorkflowSearchFrame, RunsSearchProgress>(
      {
        known,
        open: (after) =>
          searchWorkflows(namespace, { ...body, ...(after !== undefined && { after }) }, signal),
        add: (now, frame, base) => {
          switch (frame.type) {
            case 'run':
              current = { workflow: frame.workflow, hits: [], partial: frame.partial };
              // A continued search may return a run again. The run's new result then replaces its earlier result.
              found.set(frame.workflow.runId, current);
              return now;
            case 'hit':
              current?.hits.push(frame);
              return now;
            default: {
              const runs = base.runs + frame.runs;
              const next = { ...now, ...sum(base, frame), after: frame.after, runs };
              if (frame.type === 'progress') return next;
              return { ...next, partial: base.partial + frame.partial, failed: base.failed + frame.failed };
            }
          }
        },
        // The server searches a batch of runs per request. Requests batches automatically until one contains a match.
        goesOn: (end) => hasRead(end) && found.size === 0,
        renewed,
        publish: (search) => store.setState({ search, found: [...found.values()] }),
      },
      signal,
    );
  }

  return {
    /** Searches the runs' decrypted payloads for the text. */
    start(runs: SearchedRuns, justification?: string) {
      const { text, caseSensitive } = store.getState();
      if (text.trim() !== '') run({ ...nothingFound, ...runs, text, caseSensitive, justification }, []);
    },
    /** Continues after the last searched run, if a search stopped or reached a limit. */
    resume(given?: string) {
      const { search, found } = store.getState();
      if (search) run({ ...search, justification: given ?? search.justification }, found);
    },
  };
}

const nothingFound = {
  ...nothingSearched,
  status: 'running',
  after: undefined,
  runs: 0,
  partial: 0,
  failed: 0,
} as const;
