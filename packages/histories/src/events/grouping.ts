import type { HistoryEvent } from '@temporal-kms/codec-api';
import { type Category, eventKind } from './event-kinds.ts';
import type { Outcome } from './outcome.ts';
import { at, textAt } from './proto-json.ts';

/*
 * These functions derive groups from events, as Temporal's Web UI does, because Temporal does not return
 * groups.
 */

/** The fields of an event that determine its group. */
type EventFacts = Pick<HistoryEvent, 'eventName' | 'attributes'>;

/**
 * A local activity is recorded as a marker: `core_local_activity` by the Core SDKs (TypeScript, Python), `LocalActivity` by
 * the Go and Java SDKs.
 */
export function categoryOf(head: EventFacts): Category {
  const { category } = eventKind(head);
  if (category !== 'marker') return category;
  const name = textAt(head.attributes, 'markerName');
  return name === 'core_local_activity' || name === 'LocalActivity' ? 'local' : category;
}

/** Returns the outcome that an event records, or undefined if it records no outcome. */
export function outcomeOfEvent(event: EventFacts): Outcome | undefined {
  if (event.eventName === 'MarkerRecorded') {
    if (categoryOf(event) !== 'local') return undefined;
    return at(event.attributes, 'failure') ? 'failed' : 'ok';
  }
  if (event.eventName === 'WorkflowExecutionUpdateCompleted' && at(event.attributes, 'outcome', 'failure')) {
    return 'failed';
  }
  return eventKind(event).ends;
}

/**
 * Returns true if an event accepts or rejects an update. Such an event joins the group of the admitted update
 * with the same update id.
 */
export const isUpdateDecision = ({ eventName }: Pick<HistoryEvent, 'eventName'>) =>
  eventName === 'WorkflowExecutionUpdateAccepted' || eventName === 'WorkflowExecutionUpdateRejected';

/** Returns the id of the update that an event is about. */
export function updateId({ attributes }: Pick<HistoryEvent, 'attributes'>): string | undefined {
  return (
    textAt(attributes, 'acceptedRequest', 'meta', 'updateId') ??
    textAt(attributes, 'rejectedRequest', 'meta', 'updateId') ??
    textAt(attributes, 'request', 'meta', 'updateId') ??
    textAt(attributes, 'protocolInstanceId')
  );
}

const starts: ReadonlySet<string> = new Set([
  'WorkflowTaskStarted',
  'ActivityTaskStarted',
  'ChildWorkflowExecutionStarted',
  'NexusOperationStarted',
]);

/** Returns true if an event records the start of the work that the group's head scheduled. */
export const isStart = ({ eventName }: Pick<HistoryEvent, 'eventName'>) => starts.has(eventName);
