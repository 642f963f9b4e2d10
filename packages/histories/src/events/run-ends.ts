import type { WorkflowStatus } from '@temporal-kms/codec-api';

const statuses: Readonly<Record<string, WorkflowStatus>> = {
  WorkflowExecutionCompleted: 'Completed',
  WorkflowExecutionFailed: 'Failed',
  WorkflowExecutionTimedOut: 'TimedOut',
  WorkflowExecutionCanceled: 'Canceled',
  WorkflowExecutionTerminated: 'Terminated',
  WorkflowExecutionContinuedAsNew: 'ContinuedAsNew',
};

/**
 * Returns the status of a run whose last event has this type, or undefined if an event of this type does not
 * close a run.
 */
export const closedAs = (eventName: string): WorkflowStatus | undefined => statuses[eventName];

/** Returns whether an event closes a run that was still waiting for its open steps. */
export const endsWait = (eventName: string | undefined): boolean =>
  eventName === 'WorkflowExecutionTimedOut' || eventName === 'WorkflowExecutionTerminated';
