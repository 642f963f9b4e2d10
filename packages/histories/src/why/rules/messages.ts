import type { RunEvent } from '../../events/groups.ts';
import { numberAt } from '../../events/proto-json.ts';
import type { Fact } from '../finding.ts';
import { isOpen, type WhyRun } from '../run.ts';
import { stepOf } from '../step.ts';

/**
 * The latest completed workflow task: `seen` is the last event that the code has seen, `completed` the task's
 * end.
 */
function lastTask({ events }: WhyRun): { readonly seen: number; readonly completed: RunEvent } | undefined {
  const completed = events.findLast(({ eventName }) => eventName === 'WorkflowTaskCompleted');
  // The code has seen all events up to the start of the workflow task.
  return completed && { seen: numberAt(completed.attributes, 'startedEventId') ?? 0, completed };
}

/** Signals that are not delivered to the code yet: no workflow task has completed since they arrived. */
export function signalsNotDelivered(run: WhyRun): Fact[] {
  const seen = lastTask(run)?.seen ?? 0;
  return run.groups
    .filter(({ category, id }) => category === 'signal' && id > seen)
    .map((group) => ({ place: stepOf(group, run).place, eventId: group.id, since: group.events[0].at }));
}

/**
 * Signals in the last workflow task that had no recorded effect. Either the code only changed a variable, or
 * no handler is registered; the history does not show which.
 */
export function signalsWithoutEffect(run: WhyRun): Fact[] {
  const task = lastTask(run);
  if (!isOpen(run) || task === undefined) return [];
  const { seen, completed } = task;
  const next = run.events[completed.eventId];
  // Events for a workflow task's commands directly follow the task and name it.
  if (next && numberAt(next.attributes, 'workflowTaskCompletedEventId') === completed.eventId) return [];
  const before = run.events.findLast(
    ({ eventName, eventId }) => eventName === 'WorkflowTaskCompleted' && eventId < completed.eventId,
  );
  const seenBefore = numberAt(before?.attributes, 'startedEventId') ?? 0;
  return run.groups
    .filter(({ category, id }) => category === 'signal' && id > seenBefore && id <= seen)
    .map((group) => ({ place: stepOf(group, run).place, eventId: group.id, since: group.events[0].at }));
}

/** Updates without a result: not delivered yet, or accepted and still in progress. */
export function updatesOpen(run: WhyRun): Fact[] {
  if (!isOpen(run)) return [];
  return run.groups
    .filter(({ category, open }) => category === 'update' && open)
    .map((group) => ({ place: stepOf(group, run).place, eventId: group.id, since: group.events[0].at }));
}
