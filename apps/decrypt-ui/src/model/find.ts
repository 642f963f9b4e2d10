import type { HistoryEvent, SearchHit } from '@temporal-kms/codec-api';
import { eventTitle, groupName } from './describe-group.ts';
import { categoryOf } from './grouping.ts';
import type { History } from './history.ts';
import { textAt } from './values.ts';

/** A place that matches a search: the names of an event, or a place in one of its decrypted payloads. */
export type Hit = { readonly in: 'names' } | { readonly in: 'payload'; readonly found: SearchHit };

/** Hits by event id, whatever rows are on the screen. */
export type Matches = ReadonlyMap<number, readonly Hit[]>;

/** The words of a search in names: an event must contain all of them. Empty for a blank term. */
export const searchWords = (term: string): string[] => term.toLowerCase().split(/\s+/).filter(Boolean);

/** The text of a group in which names are searched, in addition to the text of each of its events. */
export function groupWords(head: HistoryEvent, category: string): string {
  const name = groupName({ category: categoryOf(head), events: [head] }).text;
  return `${category}\n${name}`.toLowerCase();
}

/**
 * The text of an event in which names are searched: names, ids, types and workers. It contains no payload, so nothing has
 * to be decrypted.
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

/** The groups with a match. */
export function matchedGroups(matches: Matches, { owners }: History): ReadonlySet<number> {
  const found = new Set<number>();
  for (const eventId of matches.keys()) {
    const owner = owners[eventId - 1];
    if (owner !== undefined) found.add(owner);
  }
  return found;
}
