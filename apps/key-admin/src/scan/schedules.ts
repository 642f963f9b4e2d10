import proto, { type temporal } from '@temporalio/proto';
import { SummaryBuilder } from './history-summary.ts';
import type { HistorySummary } from './history-summary.ts';
import type { ScheduledRun } from './remote-runs.ts';
import { milliseconds } from '../temporal/times.ts';

type ScheduleDescription = temporal.api.workflowservice.v1.IDescribeScheduleResponse;

const { SCHEDULE_OVERLAP_POLICY_ALLOW_ALL } = proto.temporal.api.enums.v1.ScheduleOverlapPolicy;

/** The data that a scan reads from a schedule. */
export interface ReadSchedule {
  readonly summary: HistorySummary;
  /** When the schedule was created, in milliseconds since 1970. */
  readonly created: number | undefined;
  readonly keptResult: KeptResult;
}

/**
 * The result or failure of an earlier run that a schedule keeps for its next run. Temporal does not show this result.
 * The server passes the result to each run that does not overlap with another run, and the first event of that run
 * contains the result.
 *
 * `none`: the schedule has not started a run. `in_run`: the schedule's latest run contains the kept result.
 * `hidden`: no known run contains the kept result.
 */
type KeptResult = { readonly is: 'none' | 'hidden' } | { readonly is: 'in_run'; readonly run: ScheduledRun };

/** Counts the payloads of a schedule. */
export function readSchedule(description: ScheduleDescription): ReadSchedule {
  const builder = new SummaryBuilder();
  builder.add('temporal.api.workflowservice.v1.DescribeScheduleResponse', description);
  return {
    summary: builder.build(),
    created: milliseconds(description.info?.createTime),
    keptResult: keptResultOf(description),
  };
}

function keptResultOf({ info, schedule }: ScheduleDescription): KeptResult {
  if (Number(info?.actionCount ?? 0) === 0) return { is: 'none' };
  // Runs that may overlap do not get an earlier run's result, so no history contains the result that the schedule keeps.
  if (schedule?.policies?.overlapPolicy === SCHEDULE_OVERLAP_POLICY_ALLOW_ALL) return { is: 'hidden' };
  const last = (info?.recentActions ?? [])
    .toSorted((a, b) => (milliseconds(a.actualTime) ?? 0) - (milliseconds(b.actualTime) ?? 0))
    .at(-1);
  const { workflowId, runId } = last?.startWorkflowResult ?? {};
  return workflowId && runId ? { is: 'in_run', run: { workflowId, runId } } : { is: 'hidden' };
}
