import type { Attributes } from '@temporal-kms/codec-api';
import { type Category, eventKind } from './event-kinds.ts';
import { categoryOf, isUpdateDecision, outcomeOfEvent, updateId } from './grouping.ts';
import type { Outcome } from './outcome.ts';
import { numberAt } from './proto-json.ts';

/**
 * The fields of an event that explanations read. codec-api's `HistoryEvent` has the same fields, with the
 * time as text.
 */
export interface RunEvent {
  readonly eventId: number;
  /** The name of the event type, such as `ActivityTaskFailed`. */
  readonly eventName: string;
  /**
   * Milliseconds since 1970. A later event may have an earlier time, because Temporal writes an activity's
   * start only when the activity closes.
   */
  readonly at: number;
  /**
   * Proto3 JSON with placeholders in place of payloads. In the dashboard, reading this property parses JSON,
   * so read it for only a few events.
   */
  readonly attributes: Attributes;
  readonly userMetadata?: Attributes | undefined;
}

/** Events with the same subject: an activity with its attempts, a timer, a workflow task. */
export interface EventGroup {
  /** The event id of the group's head. */
  readonly id: number;
  readonly category: Category;
  /** The group's events, in the order of their ids. The first event is the head. */
  readonly events: readonly [RunEvent, ...RunEvent[]];
  /** The outcome of the group, from its last event that has an outcome. */
  readonly outcome?: Outcome | undefined;
  /** True until an event ends the work that the head began. */
  readonly open: boolean;
  /** The number of the latest attempt that an event records; 1 if there was no retry. */
  readonly attempt: number;
}

/**
 * Groups the events of a whole history, as Temporal's Web UI does.
 * @param events `events[i].eventId === i + 1`
 *
 * @example
 * groupEvents(events).map(({ id, category, open }) => [id, category, open]); // [[1, 'workflow', false], [5, 'activity', true]]
 */
export function groupEvents(events: readonly RunEvent[]): EventGroup[] {
  const members: [RunEvent, ...RunEvent[]][] = [];
  const byEvent = new Map<number, [RunEvent, ...RunEvent[]]>();
  const admissions = new Map<string, number>();
  for (const event of events) {
    const joined = byEvent.get(headOf(event, admissions) ?? 0);
    const group: [RunEvent, ...RunEvent[]] = joined ?? [event];
    if (joined) joined.push(event);
    else members.push(group);
    byEvent.set(event.eventId, group);
    const id = event.eventName === 'WorkflowExecutionUpdateAdmitted' ? updateId(event) : undefined;
    if (id !== undefined) admissions.set(id, event.eventId);
  }
  return members.map(groupFrom);
}

function headOf(event: RunEvent, admissions: ReadonlyMap<string, number>): number | undefined {
  if (isUpdateDecision(event)) return admissions.get(updateId(event) ?? '');
  const { joins } = eventKind(event);
  return joins === undefined ? undefined : numberAt(event.attributes, joins);
}

function groupFrom(events: [RunEvent, ...RunEvent[]]): EventGroup {
  const [head] = events;
  const outcome = events.map(outcomeOfEvent).findLast((one) => one !== undefined);
  const started = events.find(({ eventName }) => eventName === 'ActivityTaskStarted');
  return {
    id: head.eventId,
    category: categoryOf(head),
    events,
    outcome,
    open: (eventKind(head).opens ?? false) && outcome === undefined,
    attempt: numberAt(started?.attributes, 'attempt') ?? 1,
  };
}

/** Returns the group whose head has this event id. @param groups in the order of their heads */
export function groupByHead(groups: readonly EventGroup[], head: number | undefined): EventGroup | undefined {
  if (head === undefined) return undefined;
  let [low, high] = [0, groups.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const group = groups[middle];
    if (group === undefined || group.id === head) return group;
    if (group.id < head) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}
