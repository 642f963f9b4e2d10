import type { RunEvent } from '../../events/groups.ts';
import { numberAt } from '../../events/proto-json.ts';
import type { Fact } from '../finding.ts';
import { isOpen, type WhyRun } from '../run.ts';
import { stepOf } from '../step.ts';

/** The latest completed workflow task: what it has seen, and where it ends. */
function lastTask({ events }: WhyRun): { readonly seen: number; readonly completed: RunEvent } | undefined {
  const completed = events.findLast(({ eventName }) => eventName === 'WorkflowTaskCompleted');
  // The code has seen all events up to the start of its task.
  return completed && { seen: numberAt(completed.attributes, 'startedEventId') ?? 0, completed };
}

/** Signals that no workflow task has delivered to the code: none has completed since they came. */
export function signalsNotDelivered(run: WhyRun): Fact[] {
  const seen = lastTask(run)?.seen ?? 0;
  return run.groups
    .filter(({ category, id }) => category === 'signal' && id > seen)
    .map((group) => ({ place: stepOf(group, run).place, eventId: group.id, since: group.events[0].at }));
}

/**
 * Signals that the last workflow task delivered, and after which the code did nothing that Temporal records. It may have
 * changed a variable, or no handler may be registered: a history does not show more.
 */
export function signalsWithoutEffect(run: WhyRun): Fact[] {
  const task = lastTask(run);
  if (!isOpen(run) || task === undefined) return [];
  const { seen, completed } = task;
  const next = run.events[completed.eventId];
  // The events of a task's commands follow it, and name it.
  if (next && numberAt(next.attributes, 'workflowTaskCompletedEventId') === completed.eventId) return [];
  const before = run.events.findLast(
    ({ eventName, eventId }) => eventName === 'WorkflowTaskCompleted' && eventId < completed.eventId,
  );
  const seenBefore = numberAt(before?.attributes, 'startedEventId') ?? 0;
  return run.groups
    .filter(({ category, id }) => category === 'signal' && id > seenBefore && id <= seen)
    .map((group) => ({ place: stepOf(group, run).place, eventId: group.id, since: group.events[0].at }));
}

/** Updates that the code has accepted, or that no workflow task has delivered, and that have no result. */
export function updatesOpen(run: WhyRun): Fact[] {
  if (!isOpen(run)) return [];
  return run.groups
    .filter(({ category, open }) => category === 'update' && open)
    .map((group) => ({ place: stepOf(group, run).place, eventId: group.id, since: group.events[0].at }));
}
