import type { Outcome } from '@temporal-kms/histories/events';
import type { WorkflowStatus } from '@temporal-kms/codec-api';

/** The page's names for outcomes. */
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

/** Returns whether a run can still get events, as running and paused runs can. */
export const isOpen = (status: WorkflowStatus) => status === 'Running' || status === 'Paused';
