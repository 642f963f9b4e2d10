import type { RunCause } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events/proto-json';
import { type CauseGroup, groupCauses } from '@temporal-kms/histories/why';
import { formatDay, formatHour, formatMoment, type TimeFormat } from '../../ui/format/time.ts';
import type { CausesProgress } from './causes-store.ts';

/** A run, and when it failed or began to fail. */
type TimedCause = RunCause & { readonly at: number };
export type RunGroup = CauseGroup<TimedCause>;

/** Groups runs by cause. */
export const groupRuns = (runs: readonly RunCause[]): readonly RunGroup[] =>
  groupCauses(
    runs.map((run) => ({ ...run, at: millisOf(run.closeTime ?? run.failingSince ?? run.startTime) ?? 0 })),
  );

/**
 * Groups the runs that have been read so far. While runs arrive, the groups stay in the order of their first
 * runs, because the groups' sizes change. No cause counts as new until all runs have been read.
 */
export function groupsSoFar({ runs, status }: Pick<CausesProgress, 'runs' | 'status'>): readonly RunGroup[] {
  const groups = groupRuns(runs);
  if (status === 'complete') return groups;
  const known = groups.map((group) => ({ ...group, isNew: false }));
  if (status !== 'running') return known;
  const ids = [...new Set(runs.map(({ fingerprint }) => fingerprint.id))];
  const order = new Map(ids.map((id, index) => [id, index]));
  return known.toSorted((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0));
}

/** Formats the time at which a cause first occurred: `13:04` today, otherwise `24 Nov 13:04:58`. */
export function formatSince(millis: number, format: TimeFormat): string {
  const now = Date.now();
  const isToday = formatDay(millis, format, now) === formatDay(now, format, now);
  return isToday ? formatHour(millis, format) : formatMoment(millis, format, now);
}
