import type { WorkflowStatus } from '@temporal-kms/codec-api';

/** What a colour means. There is no other use of colour but crypto's. */
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

export const outcomeText: Readonly<Record<Outcome, string>> = {
  running: 'Running',
  ok: 'Completed',
  failed: 'Failed',
  'timed-out': 'Timed out',
  canceled: 'Canceled',
  terminated: 'Terminated',
  continued: 'Continued',
  paused: 'Paused',
  pending: 'Pending',
  neutral: 'Unknown',
};

const outcomes: Readonly<Record<WorkflowStatus, Outcome>> = {
  Running: 'running',
  Completed: 'ok',
  Failed: 'failed',
  TimedOut: 'timed-out',
  Canceled: 'canceled',
  Terminated: 'terminated',
  ContinuedAsNew: 'continued',
  Paused: 'paused',
  Unspecified: 'neutral',
};

export const outcomeOf = (status: WorkflowStatus): Outcome => outcomes[status];

/** A paused run is still open: it gets events, and its bars end at now. */
export const isOpen = (status: WorkflowStatus) => status === 'Running' || status === 'Paused';

export const isFailure = (outcome: Outcome | undefined) =>
  outcome === 'failed' || outcome === 'timed-out' || outcome === 'terminated';
