import { isRecord } from '@temporal-kms/node-utils/is-record';
import { textAt } from '../events/proto-json.ts';
import type { RunEvent } from '../events/groups.ts';
import { endsWait } from '../events/run-ends.ts';
import { type Cause, causeOf, failureOf, shortText } from './facts/cause.ts';
import type { ReadPayload } from './facts/run.ts';
import { isTaskError, LONG_WAIT, taskErrors } from './facts/sources.ts';

/**
 * Returns the event that shows why a run ended or is stuck: the last event or, if a run timed out or was
 * terminated while it waited for a workflow task, an event of that task. If the run was terminated with a
 * reason, the reason explains more than a task that no worker took.
 * @param events the run's last events in order; at least the last event, and those of workflow tasks
 */
export function decisiveEvent<Event extends Pick<RunEvent, 'eventName' | 'attributes' | 'at'>>(
  events: readonly Event[],
): Event | undefined {
  const end = events.at(-1);
  if (end === undefined || !endsWait(end.eventName)) return end;
  const [error] = taskErrors(events, false);
  const task = events.findLast(({ eventName }) => eventName.startsWith('WorkflowTask'));
  const isTaken = task?.eventName !== 'WorkflowTaskScheduled' || end.at - task.at < LONG_WAIT;
  const hasReason = textAt(end.attributes, 'reason') !== undefined;
  return error ?? (isTaken || hasReason ? end : task);
}

/**
 * Returns why a run ended badly. The run's last event is enough, because it contains the whole chain of
 * failures through activities and child workflows. For an event of a workflow task, returns why the task
 * failed, or that no worker took it. Returns undefined for a task that had no error, and for a run that
 * completed, continued as new without a failure, or was canceled.
 *
 * @example
 * causeOfEnd(lastEvent, allLocked)?.type; // 'CardDeclined', 'WorkflowTimedOut', 'WorkflowTerminated'
 */
export function causeOfEnd(
  { eventName, attributes: all }: Pick<RunEvent, 'eventName' | 'attributes'>,
  read: ReadPayload,
): Cause | undefined {
  const attributes = shortened(all);
  switch (eventName) {
    case 'WorkflowExecutionFailed':
      return causeOf(failureOf(attributes), { groups: [], read }) ?? withoutFailure('WorkflowFailed', '');
    case 'WorkflowExecutionContinuedAsNew':
      // If Temporal has retried a failed run, this is the last event that Temporal returns for the failed
      // run.
      return causeOf(failureOf(attributes), { groups: [], read });
    case 'WorkflowExecutionTimedOut':
      return withoutFailure('WorkflowTimedOut', '');
    case 'WorkflowExecutionTerminated':
      // Temporal stores the reason for a termination in plaintext.
      return withoutFailure('WorkflowTerminated', textAt(attributes, 'reason') ?? '');
    case 'WorkflowTaskScheduled':
      return withoutFailure('WorkflowTaskNotTaken', '');
    case 'WorkflowTaskFailed':
      if (!isTaskError({ eventName, attributes: all })) return undefined;
      return causeOf(failureOf(attributes), { groups: [], read }) ?? withoutFailure('WorkflowTaskFailed', '');
    case 'WorkflowTaskTimedOut':
      return isTaskError({ eventName, attributes: all })
        ? withoutFailure('WorkflowTaskTimedOut', '')
        : undefined;
    default:
      return undefined;
  }
}

/**
 * Shortens the strings in attributes, because servers read the causes of many runs, and everyone who may start a
 * workflow controls the strings in its failures.
 */
function shortened(value: unknown, member = ''): unknown {
  if (typeof value === 'string') return shortText(member, value);
  if (Array.isArray(value)) return value.map((item) => shortened(item, member));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shortened(inner, name)]));
}

const withoutFailure = (type: string, text: string): Cause => ({
  kind: type,
  type,
  nonRetryable: false,
  message: { status: 'readable', text, encrypted: false },
  frames: [],
  places: [],
  wrappers: [],
  refs: [],
});
