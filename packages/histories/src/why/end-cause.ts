import { isRecord } from '@temporal-kms/node-utils/is-record';
import { textAt } from '../events/proto-json.ts';
import type { RunEvent } from '../events/groups.ts';
import { type Cause, causeOf, failureOf, shortText } from './cause.ts';
import type { ReadPayload } from './run.ts';
import { isTaskError } from './sources.ts';

/**
 * Returns why a run ended badly. The run's last event is enough, because it contains the whole chain of
 * failures through activities and child workflows. For the event that ended a workflow task, returns why the
 * task failed. Returns undefined for a task that had no error, and for a run that completed, continued as new
 * without a failure, or was canceled.
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
      // If Temporal has started a failed run again, Temporal returns this event as the failed run's last
      // event.
      return causeOf(failureOf(attributes), { groups: [], read });
    case 'WorkflowExecutionTimedOut':
      return withoutFailure('WorkflowTimedOut', '');
    case 'WorkflowExecutionTerminated':
      // Temporal stores the reason in plaintext.
      return withoutFailure('WorkflowTerminated', textAt(attributes, 'reason') ?? '');
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
 * Returns attributes with shortened texts. The texts must be short because servers read the causes of many
 * runs, and everyone who may start a workflow controls the texts of its failures.
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
