import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { MAX_PROGRESS_RUNS, type RunProgress, type WorkflowSummary } from '@temporal-kms/codec-api';
import { useEffect, useMemo, useState } from 'react';
import { type RunsApi, useRunsApi } from '../../api.ts';
import { useNow } from '../../../ui/use-now.ts';
import { isOpen } from '../../outcome.ts';
import { AT_REST } from '../../queries.ts';
import { type Problem, progressProblem, reportedProblem } from './problems.ts';

/** Milliseconds between updates of the current time, each of which renders the table. */
const TICK = 10_000;
/**
 * Milliseconds that the rows in view must stay unchanged before the list requests anything, so that scrolling
 * sends no requests.
 */
const SETTLE = 300;

/**
 * Returns why running workflows in view make no progress, by run id. The list already contains the problems
 * that Temporal reports. Once the rows in view have stayed the same, one request returns the attempts and
 * waits of all these runs.
 */
export function useProblems(
  namespace: string,
  inView: readonly WorkflowSummary[],
): ReadonlyMap<string, Problem> {
  const api = useRunsApi();
  const running = useMemo(() => inView.filter(({ status }) => isOpen(status)), [inView]);
  const settled = useSettled(running);
  const now = useNow(running.length > 0, TICK);
  const [known] = useState(() => new Map<string, Known>());
  const { data } = useQuery({
    queryKey: ['progress', namespace, settled.map(({ runId }) => runId)],
    queryFn: ({ signal }) => progressOf(api, namespace, settled, known, signal),
    enabled: settled.length > 0,
    refetchInterval: AT_REST,
    placeholderData: keepPreviousData,
    // Older servers lack this route, and the list works without it.
    retry: false,
  });
  const problems = new Map<string, Problem>();
  for (const row of running) {
    const progress = data?.find(({ runId }) => runId === row.runId);
    const problem = (progress && progressProblem(progress, now)) ?? reportedProblem(row);
    if (problem) problems.set(row.runId, problem);
  }
  return problems;
}

interface Known {
  readonly at: number;
  /** The progress; undefined for a run that Temporal does not have. */
  readonly progress: RunProgress | undefined;
}

/**
 * Returns the progress of runs. Requests only unknown or old progress, so that a row that comes back into
 * view causes no request.
 */
async function progressOf(
  api: RunsApi,
  namespace: string,
  runs: readonly WorkflowSummary[],
  known: Map<string, Known>,
  signal: AbortSignal,
): Promise<RunProgress[]> {
  // Tolerates a timer that fires early.
  const old = Date.now() - AT_REST + 1000;
  const wanted = runs.filter(({ runId }) => (known.get(runId)?.at ?? 0) <= old).slice(0, MAX_PROGRESS_RUNS);
  if (wanted.length > 0) {
    const addresses = wanted.map(({ workflowId, runId }) => ({ workflowId, runId }));
    const answer = await api.progress(namespace, { runs: addresses }, signal);
    const byId = new Map(answer.runs.map((progress) => [progress.runId, progress]));
    const at = Date.now();
    for (const { runId } of wanted) known.set(runId, { at, progress: byId.get(runId) });
  }
  return runs.flatMap(({ runId }) => known.get(runId)?.progress ?? []);
}

/** Returns the runs once they have stayed the same for `SETTLE`. */
function useSettled(runs: readonly WorkflowSummary[]): readonly WorkflowSummary[] {
  const [settled, setSettled] = useState<readonly WorkflowSummary[]>([]);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(runs), SETTLE);
    return () => clearTimeout(timer);
  }, [runs]);
  return settled;
}
