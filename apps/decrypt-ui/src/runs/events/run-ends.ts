import { closedAs } from '@temporal-kms/histories/events';
import type { Group, RecordedEvent } from './history.ts';

export const isStart = ({ events: [event] }: Group): boolean =>
  event.eventName === 'WorkflowExecutionStarted';

export const isEnd = ({ events: [event] }: Group): boolean => closedAs(event.eventName) !== undefined;

/** Returns the page's name for the value with which a run ended; undefined if the run ended without one. */
export function resultName({ eventName, payloads }: RecordedEvent): string | undefined {
  switch (closedAs(eventName)) {
    case 'Completed':
      return 'result';
    case 'Failed':
      return 'failure';
    case 'ContinuedAsNew':
      return 'next input';
    default:
      return payloads.length > 0 ? 'details' : undefined;
  }
}
