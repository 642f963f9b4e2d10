/** Number of histories that are read at the same time. */
export const CONCURRENCY = 8;
/** Maximum difference between Temporal's clock and this machine's, in milliseconds. */
export const MAX_SKEW_MS = 300_000;
/** A pass over new runs that takes longer is followed by another, over the runs that started meanwhile. */
export const MAX_CATCH_UP_MS = 600_000;

/** Start times in milliseconds since 1970: from (inclusive) to (exclusive). Without `to`, also the future. */
export interface TimeRange {
  readonly from: number;
  readonly to?: number;
}

/**
 * A stage of a scan by several processes. A run has one start time, so stages whose ranges do not overlap
 * count no run twice.
 *
 * `settled`: all runs of the range have appeared in Temporal's lists. `newest`: the runs since then, until
 * now. The stages correspond to the passes of `scanNamespace`: first all runs, then, once new runs have had
 * time to appear, the runs that started since.
 */
export interface Stage {
  readonly kind: 'first' | 'settled' | 'newest';
  readonly range: TimeRange;
  /** When the pass began, in milliseconds since 1970. */
  readonly start: number;
}

/** Returns the first stage: all runs that have appeared in the lists. */
export const firstStage = (now: number, settleMs: number): Stage => ({
  kind: 'first',
  range: { from: 0, to: now - settleMs - MAX_SKEW_MS },
  start: now,
});

/**
 * Whether a pass over new runs took too long, so that another must follow. If so, the findings of its stage
 * `newest` are discarded, because the next stage scans the same range again. The pass ends `now`.
 */
export const isTooLong = ({ start }: Stage, now: number): boolean => now - start > MAX_CATCH_UP_MS;

/** Returns how long to wait after a stage until new runs appear in Temporal's lists, in milliseconds. */
export const settleTime = (stage: Stage, now: number, settleMs: number): number =>
  stage.kind !== 'first' && !isTooLong(stage, now) ? 0 : Math.max(0, stage.start + settleMs - now);

/** Returns the stage that follows a completed stage. Undefined: the scan has seen all runs. */
export function nextStage(last: Stage, now: number, settleMs: number): Stage | undefined {
  const margin = settleMs + MAX_SKEW_MS;
  if (last.kind !== 'first' && !isTooLong(last, now))
    return last.kind === 'newest'
      ? undefined
      : { kind: 'newest', range: { from: last.start - margin }, start: last.start };
  return { kind: 'settled', range: { from: last.start - margin, to: now - margin }, start: now };
}
