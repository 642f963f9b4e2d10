/** Number of histories that are read at the same time. */
export const CONCURRENCY = 8;
/** Maximum difference between Temporal's clock and this machine's clock, in milliseconds. */
export const MAX_SKEW_MS = 300_000;
/**
 * Maximum duration of a pass over new runs, in milliseconds. A longer pass is followed by another pass, over the runs
 * that started meanwhile.
 */
export const MAX_CATCH_UP_MS = 600_000;

/**
 * A range of start times in milliseconds since 1970, from `from` (inclusive) to `to` (exclusive). Without
 * `to`, the range includes the future.
 */
export interface TimeRange {
  readonly from: number;
  readonly to?: number;
}

/**
 * A stage of a scan by several processes. A run has one start time, so stages whose ranges do not overlap
 * count no run twice.
 *
 * `settled`: a range whose runs have all appeared in Temporal's lists. `newest`: the range from the end of the
 * `settled` range until now. The stages correspond to the passes of `scanNamespace`: a first pass over all runs and,
 * once new runs have had time to appear, a pass over the runs that started meanwhile.
 */
export interface Stage {
  readonly kind: 'first' | 'settled' | 'newest';
  readonly range: TimeRange;
  /** When the stage's pass began, in milliseconds since 1970. */
  readonly start: number;
}

/** Returns the first stage: all runs that have appeared in the lists. */
export const firstStage = (now: number, settleMs: number): Stage => ({
  kind: 'first',
  range: { from: 0, to: now - settleMs - MAX_SKEW_MS },
  start: now,
});

/**
 * Whether a pass over new runs that ends at `now` took too long, so that another pass must follow. If so, the
 * findings of the pass's stage `newest` are discarded, because the next stage scans the same range again.
 */
export const isTooLong = ({ start }: Stage, now: number): boolean => now - start > MAX_CATCH_UP_MS;

/** Returns how many milliseconds to wait after a stage until new runs have appeared in Temporal's lists. */
export const settleTime = (stage: Stage, now: number, settleMs: number): number =>
  stage.kind !== 'first' && !isTooLong(stage, now) ? 0 : Math.max(0, stage.start + settleMs - now);

/** Returns the stage that follows a completed stage, or undefined if the scan has seen all runs. */
export function nextStage(last: Stage, now: number, settleMs: number): Stage | undefined {
  const margin = settleMs + MAX_SKEW_MS;
  if (last.kind !== 'first' && !isTooLong(last, now))
    return last.kind === 'newest'
      ? undefined
      : { kind: 'newest', range: { from: last.start - margin }, start: last.start };
  return { kind: 'settled', range: { from: last.start - margin, to: now - margin }, start: now };
}
