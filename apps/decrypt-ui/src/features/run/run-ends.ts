import type { Group, RecordedEvent } from '../../model/history.ts';
import { isEnd } from '../../model/run-ends.ts';
import { useRun } from '../../run/run-context.tsx';

/** The first event of the run and the group of the event that closed it, as far as they are loaded. */
export function useEnds(): { first: RecordedEvent | undefined; last: Group | undefined } {
  const { follow } = useRun();
  const { events, groups } = follow.history;
  const first = events[0]?.eventName === 'WorkflowExecutionStarted' ? events[0] : undefined;
  return { first, last: groups.findLast(isEnd) };
}
