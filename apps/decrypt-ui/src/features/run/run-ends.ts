import type { Group, RecordedEvent } from '../../model/history.ts';
import { useRun } from '../../run/run-context.tsx';

const closing: ReadonlySet<string> = new Set([
  'WorkflowExecutionCompleted',
  'WorkflowExecutionFailed',
  'WorkflowExecutionTimedOut',
  'WorkflowExecutionCanceled',
  'WorkflowExecutionTerminated',
  'WorkflowExecutionContinuedAsNew',
]);

/** The first event of the run and the group of the event that closed it, as far as they are loaded. */
export function useEnds(): { first: RecordedEvent | undefined; last: Group | undefined } {
  const { follow } = useRun();
  const { events, groups } = follow.history;
  const first = events[0]?.eventName === 'WorkflowExecutionStarted' ? events[0] : undefined;
  return { first, last: groups.findLast((group) => closing.has(group.events[0].eventName)) };
}

/** What the page calls that with which a run ended. */
export function resultName(event: RecordedEvent): string {
  if (event.eventName === 'WorkflowExecutionFailed') return 'failure';
  return event.eventName === 'WorkflowExecutionContinuedAsNew' ? 'next input' : 'result';
}
