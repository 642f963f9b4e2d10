import { useQueries } from '@tanstack/react-query';
import type { WorkflowSummary } from '@temporal-kms/codec-api';
import { useRunsApi } from '../../api.ts';
import { isOpen } from '../../outcome.ts';
import { descriptionQuery, taskQueuesQuery } from '../../queries.ts';
import { describedProblem, type Problem, reportedProblem, waitingProblem } from './problems.ts';

/** Milliseconds between two descriptions of a run in view. */
const REFRESH = 30_000;
/** Most runs that are described at a time: the list must not delay what the reader opens. */
const MOST_AT_ONCE = 4;

/**
 * Why the running workflows in view make no progress, by run id. The list contains what Temporal reports itself; attempts
 * and waits are in the runs' descriptions, which this hook requests for the rows in view. For the few that wait for a worker,
 * it also requests who polls their task queues.
 */
export function useProblems(
  namespace: string,
  inView: readonly WorkflowSummary[],
  now: number,
): ReadonlyMap<string, Problem> {
  const api = useRunsApi();
  const running = inView.filter(({ status }) => isOpen(status));
  const described = useQueries({
    queries: running.map(({ workflowId, runId }) => ({
      ...descriptionQuery(api, namespace, workflowId, runId),
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        limited(() => api.describe(namespace, workflowId, runId, signal), signal),
      staleTime: REFRESH,
      refetchInterval: REFRESH,
      retry: false,
    })),
  });
  const found = running.map((row, index) => ({
    row,
    problem: describedProblem(described[index]?.data, now) ?? reportedProblem(row),
  }));
  const waiting = found.filter(({ problem }) => problem?.waits);
  const taskQueues = useQueries({
    queries: waiting.map(({ row: { workflowId, runId } }) => {
      const run = { namespace, workflowId, runId };
      return {
        ...taskQueuesQuery(api, run),
        queryFn: ({ signal }: { signal: AbortSignal }) => limited(() => api.taskQueues(run, signal), signal),
        staleTime: REFRESH,
        refetchInterval: REFRESH,
      };
    }),
  });
  const problems = new Map<string, Problem>();
  for (const { row, problem } of found) if (problem) problems.set(row.runId, problem);
  for (const [index, { row, problem }] of waiting.entries()) {
    if (problem) problems.set(row.runId, waitingProblem(problem, taskQueues[index]?.data?.taskQueues));
  }
  return problems;
}

let inFlight = 0;
const queued: (() => void)[] = [];

async function limited<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  if (inFlight >= MOST_AT_ONCE) await new Promise<void>((resolve) => queued.push(resolve));
  else inFlight += 1;
  try {
    signal.throwIfAborted();
    return await call();
  } finally {
    const next = queued.shift();
    if (next) next();
    else inFlight -= 1;
  }
}
