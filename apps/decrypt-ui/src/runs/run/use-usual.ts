import { useQuery } from '@tanstack/react-query';
import { quoted, type WorkflowSummary } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events';
import { type Durations, durationsOf } from '@temporal-kms/histories/why/usual';
import { useMemo } from 'react';
import { useRunsApi } from '../api.ts';
import { useRun } from './run-context.tsx';

/** How long the latest completed runs of a workflow type took. */
export interface UsualRuns extends Durations {
  /** Milliseconds, ascending. */
  readonly all: readonly number[];
}

/** Number of completed runs from which the usual duration of a type is computed. */
const USUAL_RUNS = 50;
const LEAST = 3;

/**
 * Summarizes completed runs, except the run with the given id. Returns undefined if there are too few
 * completed runs.
 */
function usualOf(runs: readonly WorkflowSummary[], runId: string): UsualRuns | undefined {
  const all = runs
    .filter((run) => run.runId !== runId)
    .slice(0, USUAL_RUNS)
    .flatMap((run) => durationOf(run) ?? [])
    .toSorted((a, b) => a - b);
  const durations = durationsOf(all);
  return durations && durations.count >= LEAST ? { ...durations, all } : undefined;
}

/** Returns how long a closed run took, in milliseconds. */
export function durationOf({
  startTime,
  closeTime,
}: Pick<WorkflowSummary, 'startTime' | 'closeTime'>): number | undefined {
  const [started, closed] = [millisOf(startTime), millisOf(closeTime)];
  return started === undefined || closed === undefined ? undefined : closed - started;
}

/** Returns how many of the runs took less than the given number of milliseconds. */
export const placeAmong = ({ all }: UsualRuns, millis: number): number =>
  all.filter((other) => other < millis).length;

/**
 * Returns how long runs of this type usually take, and the state of the request for their durations. The page
 * sends the request once, after its first rows have loaded. If there are too few completed runs, `usual` is
 * undefined.
 */
export function useUsualQuery() {
  const api = useRunsApi();
  const { address, description, follow } = useRun();
  const { namespace } = address;
  const { type } = description.workflow;
  const { data, error, refetch } = useQuery({
    queryKey: ['usual', namespace, type],
    queryFn: ({ signal }) => {
      const query = `WorkflowType = ${quoted(type)} AND ExecutionStatus = 'Completed'`;
      // Requests one additional run, because the run on the page may be among the latest runs.
      return api.workflows(namespace, { query, pageSize: USUAL_RUNS + 1 }, signal);
    },
    enabled: !address.file && follow.history.events.length > 0,
    staleTime: 10 * 60_000,
    gcTime: 30 * 60_000,
    refetchOnWindowFocus: false,
    // The page works without the usual duration.
    retry: false,
  });
  const usual = useMemo(() => data && usualOf(data.workflows, address.runId), [data, address.runId]);
  return { usual, data, error, refetch };
}

export const useUsual = (): UsualRuns | undefined => useUsualQuery().usual;
