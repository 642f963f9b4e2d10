import type { WorkflowStatus } from '@temporal-kms/codec-api';
import { closedAs } from '@temporal-kms/histories/events';
import type { Group, RecordedEvent } from './history.ts';

export const isStart = ({ events: [event] }: Group): boolean =>
  event.eventName === 'WorkflowExecutionStarted';

export const isEnd = ({ events: [event] }: Group): boolean => closedAs(event.eventName) !== undefined;

/** The page's names for the values with which runs end, by status. */
export const resultNames: Readonly<Partial<Record<WorkflowStatus, string>>> = {
  Completed: 'result',
  Failed: 'failure',
  ContinuedAsNew: 'next input',
};

/** Returns the page's name for the value with which a run ended; undefined if the run ended without one. */
export function resultName({ eventName, payloads }: RecordedEvent): string | undefined {
  const status = closedAs(eventName);
  const name = status && resultNames[status];
  return name ?? (payloads.length > 0 ? 'details' : undefined);
}
