import { closedAs } from '@temporal-kms/histories/events';
import type { Group } from './history.ts';

export const isStart = ({ events: [event] }: Group): boolean =>
  event.eventName === 'WorkflowExecutionStarted';

export const isEnd = ({ events: [event] }: Group): boolean => closedAs(event.eventName) !== undefined;

/** Returns the page's name for a run's result. */
export function resultName({ eventName }: { readonly eventName: string }): string {
  if (eventName === 'WorkflowExecutionFailed') return 'failure';
  return eventName === 'WorkflowExecutionContinuedAsNew' ? 'next input' : 'result';
}
