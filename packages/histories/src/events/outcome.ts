/** The outcome of a run, a group of events or an event. */
export type Outcome =
  | 'running'
  | 'ok'
  | 'failed'
  | 'timed-out'
  | 'canceled'
  | 'terminated'
  | 'continued'
  | 'paused'
  | 'pending'
  | 'neutral';

/**
 * Returns whether the work failed. A cancellation does not count as a failure, because a caller requested it.
 */
export const isFailure = (outcome: Outcome | undefined): boolean =>
  outcome === 'failed' || outcome === 'timed-out' || outcome === 'terminated';
