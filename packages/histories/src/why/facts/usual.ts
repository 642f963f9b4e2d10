import type { CriticalPath } from './critical-path.ts';

/** Summary of the durations of runs or steps, in milliseconds. */
export interface Durations {
  readonly count: number;
  readonly shortest: number;
  /** With an even count, the mean of the two durations in the middle. */
  readonly median: number;
  /** The duration that at least 95 % of the runs or steps do not exceed (nearest rank). */
  readonly p95: number;
  readonly longest: number;
}

/** How long completed runs of the workflow's type took, and how long each step on this run's critical path took. */
export interface Usual extends Pick<Durations, 'count' | 'median' | 'p95'> {
  /** Absent until the critical path is known. */
  readonly path?: Pick<CriticalPath, 'steps'> | undefined;
}

/**
 * Summarizes durations. Returns undefined if there are no durations.
 *
 * @example
 * durationsOf([4, 1, 2, 3]); // { count: 4, shortest: 1, median: 2.5, p95: 4, longest: 4 }
 */
export function durationsOf(millis: readonly number[]): Durations | undefined {
  const sorted = Float64Array.from(millis).toSorted();
  const at = (index: number): number => sorted[index] ?? 0;
  const count = sorted.length;
  if (count === 0) return undefined;
  return {
    count,
    shortest: at(0),
    median: (at(Math.floor((count - 1) / 2)) + at(Math.floor(count / 2))) / 2,
    p95: at(Math.ceil(0.95 * count) - 1),
    longest: at(count - 1),
  };
}

/** Minimum number of runs that show what is usual. */
const LEAST_RUNS = 3;
const SLOW_FACTOR = 2;

/**
 * Returns whether a run took notably longer than other runs: longer than twice the median, and longer than at
 * least 95 % of them.
 */
export const isSlow = (millis: number, { count, median, p95 }: Usual): boolean =>
  count >= LEAST_RUNS && millis > SLOW_FACTOR * median && millis > p95;
