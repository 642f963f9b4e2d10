import type { RunCause } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events/proto-json';
import { type CauseGroup, groupCauses, type GroupedCauses } from '@temporal-kms/histories/why';

/** A failed run with the time at which it ended. */
export type TimedCause = RunCause & { readonly at: number };
export type RunGroup = CauseGroup<TimedCause>;

/** Groups runs by cause. */
export const groupRuns = (runs: readonly RunCause[]): GroupedCauses<TimedCause> =>
  groupCauses(runs.map((run) => ({ ...run, at: millisOf(run.closeTime) ?? millisOf(run.startTime) ?? 0 })));
