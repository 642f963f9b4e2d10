import { categoryText, eventTitle, groupName } from './describe-group.ts';
import type { Group, RecordedEvent } from './history.ts';
import type { Row } from './rows.ts';
import { textAt } from './values.ts';

/**
 * Returns a predicate that searches the unencrypted parts of a row: names, ids, types and workers. It never searches
 * payloads, so nothing has to be decrypted. Undefined for an empty term.
 */
export function matcher(term: string): ((row: Row) => boolean) | undefined {
  const words = term.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return undefined;
  return (row) => {
    const text = rowText(row);
    return words.every((word) => text.includes(word));
  };
}

function rowText(row: Row): string {
  if (row.kind === 'event') {
    // The title of a later event does not name the activity or timer, so the group's name is added.
    const name = row.level === 1 ? groupName(row.group).text : '';
    return `${name}\n${eventText(row.event)}`.toLowerCase();
  }
  if (row.kind === 'attempts') return '';
  return groupText(row.group).toLowerCase();
}

const groupText = (group: Group) =>
  [categoryText[group.category], groupName(group).text, ...group.events.map(eventText)].join('\n');

function eventText(event: RecordedEvent): string {
  const { attributes } = event;
  return [
    `#${event.eventId}`,
    event.eventName,
    eventTitle(event),
    textAt(attributes, 'activityType', 'name'),
    textAt(attributes, 'activityId'),
    textAt(attributes, 'timerId'),
    textAt(attributes, 'workflowType', 'name'),
    textAt(attributes, 'workflowId'),
    textAt(attributes, 'workflowExecution', 'workflowId'),
    textAt(attributes, 'signalName'),
    textAt(attributes, 'markerName'),
    textAt(attributes, 'service'),
    textAt(attributes, 'operation'),
    textAt(attributes, 'taskQueue', 'name'),
    textAt(attributes, 'identity'),
  ]
    .filter((part) => part !== undefined)
    .join('\n');
}
