import { useQuery } from '@tanstack/react-query';
import type { WorkflowSummary } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events';
import { type Durations, durationsOf } from '@temporal-kms/histories/why/usual';
import { useMemo } from 'react';
import { useRunsApi } from '../api.ts';
import { usualQuery, USUAL_RUNS } from '../queries.ts';
import { useRun } from './run-context.tsx';

/** How long the latest completed runs of a workflow type took. */
export interface UsualRuns extends Durations {
  /** Milliseconds, ascending. */
  readonly all: readonly number[];
}

const LEAST = 3;

/** Summarizes completed runs, without the run that is compared with them; undefined for too few. */
function usualOf(runs: readonly WorkflowSummary[], runId: string): UsualRuns | undefined {
  const all = runs
    .filter((run) => run.runId !== runId)
    .slice(0, USUAL_RUNS)
    .flatMap((run) => durationOf(run) ?? [])
    .toSorted((a, b) => a - b);
  const durations = durationsOf(all);
  return durations && durations.count >= LEAST ? { ...durations, all } : undefined;
}

/** How long a closed run took, in milliseconds. */
export function durationOf({
  startTime,
  closeTime,
}: Pick<WorkflowSummary, 'startTime' | 'closeTime'>): number | undefined {
  const [started, closed] = [millisOf(startTime), millisOf(closeTime)];
  return started === undefined || closed === undefined ? undefined : closed - started;
}

/** How many of the runs took less time than this. */
export const placeAmong = ({ all }: UsualRuns, millis: number): number =>
  all.filter((other) => other < millis).length;

/** How long runs of this type usually take. The page asks once, after the first rows. */
export function useUsual(): UsualRuns | undefined {
  const api = useRunsApi();
  const { address, description, follow } = useRun();
  const { data } = useQuery({
    ...usualQuery(api, address.namespace, description.workflow.type),
    enabled: !address.file && follow.history.events.length > 0,
  });
  return useMemo(() => data && usualOf(data.workflows, address.runId), [data, address.runId]);
}
