import type { WorkflowStatus } from '@temporal-kms/codec-api';
import type { Group } from './history.ts';

const statuses: Readonly<Record<string, WorkflowStatus>> = {
  WorkflowExecutionCompleted: 'Completed',
  WorkflowExecutionFailed: 'Failed',
  WorkflowExecutionTimedOut: 'TimedOut',
  WorkflowExecutionCanceled: 'Canceled',
  WorkflowExecutionTerminated: 'Terminated',
  WorkflowExecutionContinuedAsNew: 'ContinuedAsNew',
};

/** The status of a run whose last event is of a type; undefined for an event that does not close its run. */
export const closedAs = (eventName: string): WorkflowStatus | undefined => statuses[eventName];

export const isStart = ({ events: [event] }: Group): boolean =>
  event.eventName === 'WorkflowExecutionStarted';

export const isEnd = ({ events: [event] }: Group): boolean => closedAs(event.eventName) !== undefined;

/** The page's name for how a run ended. */
export function resultName({ eventName }: { readonly eventName: string }): string {
  if (eventName === 'WorkflowExecutionFailed') return 'failure';
  return eventName === 'WorkflowExecutionContinuedAsNew' ? 'next input' : 'result';
}
