import { categoryOf, eventTitle, groupName, textAt } from '@temporal-kms/histories/events';
import type { HistoryEvent } from '@temporal-kms/codec-api';

/** Returns a group's own searchable text. A search of names also covers the text of the group's events. */
export function groupWords(head: HistoryEvent, category: string): string {
  const name = groupName({ category: categoryOf(head), events: [head] }).text;
  return `${category}\n${name}`.toLowerCase();
}

/**
 * Returns an event's searchable text: names, ids, types and workers. The text contains no payloads, so
 * nothing needs to be decrypted.
 */
export function eventWords(event: HistoryEvent): string {
  const { attributes } = event;
  return [
    `#${event.eventId}`,
    event.eventName,
    eventTitle(event),
    textAt(attributes, 'activityId'),
    textAt(attributes, 'timerId'),
    textAt(attributes, 'workflowType', 'name'),
    textAt(attributes, 'workflowId'),
    textAt(attributes, 'workflowExecution', 'workflowId'),
    textAt(attributes, 'signalName'),
    textAt(attributes, 'markerName'),
    textAt(attributes, 'service'),
    textAt(attributes, 'operation'),
    textAt(attributes, 'acceptedRequest', 'input', 'name'),
    textAt(attributes, 'rejectedRequest', 'input', 'name'),
    textAt(attributes, 'taskQueue', 'name'),
    textAt(attributes, 'identity'),
  ]
    .filter((part) => part !== undefined)
    .join('\n')
    .toLowerCase();
}
