import type { RunEvent } from '../../events/groups.ts';
import { numberAt } from '../../events/proto-json.ts';
import type { Fact } from '../facts/finding.ts';
import { isOpen, type WhyRun } from '../facts/run.ts';
import { stepOf } from '../facts/step.ts';

/**
 * Returns the latest completed workflow task. `seen` is the last event that the workflow code has seen, and
 * `completed` is the end of the task.
 */
function lastTask({ events }: WhyRun): { readonly seen: number; readonly completed: RunEvent } | undefined {
  const completed = events.findLast(({ eventName }) => eventName === 'WorkflowTaskCompleted');
  // The workflow code has seen all events up to the start of the workflow task.
  return completed && { seen: numberAt(completed.attributes, 'startedEventId') ?? 0, completed };
}

/**
 * Reports signals that the workflow code has not received yet, because no workflow task has completed since
 * they arrived.
 */
export function signalsNotDelivered(run: WhyRun): Fact[] {
  const seen = lastTask(run)?.seen ?? 0;
  return run.groups
    .filter(({ category, id }) => category === 'signal' && id > seen)
    .map((group) => ({ place: stepOf(group, run).place, eventId: group.id, since: group.events[0].at }));
}

/**
 * Reports the signals that the last completed workflow task received, if the task had no recorded effect.
 * Either the workflow code only changed a variable, or it has no handler for the signal. The history does not
 * show which is true.
 */
export function signalsWithoutEffect(run: WhyRun): Fact[] {
  const task = lastTask(run);
  if (!isOpen(run) || task === undefined) return [];
  const { seen, completed } = task;
  if (hasEffect(run, completed.eventId)) return [];
  const before = run.events.findLast(
    ({ eventName, eventId }) => eventName === 'WorkflowTaskCompleted' && eventId < completed.eventId,
  );
  const seenBefore = numberAt(before?.attributes, 'startedEventId') ?? 0;
  return run.groups
    .filter(({ category, id }) => category === 'signal' && id > seenBefore && id <= seen)
    .map((group) => ({ place: stepOf(group, run).place, eventId: group.id, since: group.events[0].at }));
}

/**
 * Returns whether a workflow task had an effect that a signal may have caused: a command, or the result of an
 * update that the workflow code had accepted earlier. The events of commands and updates directly follow the
 * task. Only a command's event names the task.
 */
function hasEffect({ events }: Pick<WhyRun, 'events'>, task: number): boolean {
  for (let id = task + 1; ; id += 1) {
    const event = events[id - 1];
    if (event === undefined) return false;
    const { eventName, attributes } = event;
    if (!eventName.startsWith('WorkflowExecutionUpdate'))
      return numberAt(attributes, 'workflowTaskCompletedEventId') === task;
    const accepted = numberAt(attributes, 'acceptedEventId');
    if (accepted !== undefined && accepted < task) return true;
  }
}

/** Reports updates without a result, which are either not delivered yet or accepted and still in progress. */
export function updatesOpen(run: WhyRun): Fact[] {
  if (!isOpen(run)) return [];
  return run.groups
    .filter(({ category, open }) => category === 'update' && open)
    .map((group) => ({ place: stepOf(group, run).place, eventId: group.id, since: group.events[0].at }));
}
