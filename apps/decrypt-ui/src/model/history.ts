import type { HistoryEvent } from '@temporal-kms/codec-api';
import { type Category, eventKind, eventType } from './event-kinds.ts';
import type { Outcome } from './outcome.ts';
import { at, millisOf, numberAt, textAt } from './values.ts';

export interface RecordedEvent extends HistoryEvent {
  /** `eventTime` in milliseconds. Not monotonic in `eventId`: an activity's start is written when it closes. */
  readonly at: number;
}

export interface Group {
  /** The head's event id. */
  readonly id: number;
  readonly category: Category;
  /** In the order of their ids; the first is the head. */
  readonly events: readonly [RecordedEvent, ...RecordedEvent[]];
  /** Given by the last event that ends it, not by the head: absent while open, and for plain single events. */
  readonly outcome?: Outcome;
  /** True while no event has ended what the head began. */
  readonly open: boolean;
}

export interface History {
  /** Gapless: `events[i].eventId === i + 1`. */
  readonly events: readonly RecordedEvent[];
  readonly groups: readonly Group[];
  /** Id of the last durable event; 0 before the first. */
  readonly lastDurable: number;
}

export const emptyHistory: History = { events: [], groups: [], lastDurable: 0 };

/** A frame that doesn't follow what is there: the stream must be asked again with `after`. */
class HistoryGap extends Error {
  override readonly name = 'HistoryGap';
}

/**
 * Grows a history frame by frame and keeps its groups. Events beyond the last durable one are provisional: the next
 * frame with events drops them and the last write under an id wins, because a transient or speculative workflow task
 * event may later be another event, or none.
 */
export function createHistoryBuilder() {
  const events: RecordedEvent[] = [];
  const groups: Group[] = [];
  /** Event id → index of its group. */
  const groupIndex = new Map<number, number>();
  /** Update id → event id of its admission. */
  const admissions = new Map<string, number>();
  let lastDurable = 0;

  function truncate(afterId: number) {
    for (let event = events.at(-1); event && event.eventId > afterId; event = events.at(-1)) {
      events.pop();
      const index = groupIndex.get(event.eventId);
      groupIndex.delete(event.eventId);
      const group = index === undefined ? undefined : groups[index];
      if (index === undefined || !group) continue;
      const [first, ...rest] = group.events.slice(0, -1);
      if (first) groups[index] = makeGroup([first, ...rest]);
      else groups.splice(index, 1);
    }
  }

  function add(event: HistoryEvent) {
    if (event.eventId !== events.length + 1) {
      throw new HistoryGap(`Event ${event.eventId} came after event ${events.length}.`);
    }
    const recorded: RecordedEvent = { ...event, at: millisOf(event.eventTime) ?? 0 };
    events.push(recorded);
    if (event.durable) lastDurable = event.eventId;
    const joined = headId(recorded);
    const index = joined === undefined ? undefined : groupIndex.get(joined);
    const group = index === undefined ? undefined : groups[index];
    if (event.eventType === eventType.updateAdmitted) remember(recorded);
    if (index !== undefined && group) {
      groups[index] = makeGroup([...group.events, recorded]);
      groupIndex.set(event.eventId, index);
    } else {
      groupIndex.set(event.eventId, groups.push(makeGroup([recorded])) - 1);
    }
  }

  function remember(admission: RecordedEvent) {
    const id = updateId(admission);
    if (id !== undefined) admissions.set(id, admission.eventId);
  }

  function headId(event: RecordedEvent): number | undefined {
    if (event.eventType === eventType.updateAccepted || event.eventType === eventType.updateRejected) {
      const id = updateId(event);
      return id === undefined ? undefined : admissions.get(id);
    }
    const { joins } = eventKind(event.eventType);
    return joins === undefined ? undefined : numberAt(event.attributes, joins);
  }

  return {
    /** @throws HistoryGap when an event is missing before the frame's first new one */
    append(frame: readonly HistoryEvent[]) {
      const fresh = frame.filter((event) => event.eventId > lastDurable);
      if (fresh.length === 0) return;
      truncate(lastDurable);
      for (const event of fresh) add(event);
    },
    get lastDurable() {
      return lastDurable;
    },
    /** A copy that later frames don't change; groups that they don't touch stay the same objects. */
    snapshot: (): History => ({ events: events.slice(), groups: groups.slice(), lastDurable }),
  };
}

function updateId(event: RecordedEvent): string | undefined {
  const { attributes } = event;
  return (
    textAt(attributes, 'acceptedRequest', 'meta', 'updateId') ??
    textAt(attributes, 'rejectedRequest', 'meta', 'updateId') ??
    textAt(attributes, 'request', 'meta', 'updateId') ??
    textAt(attributes, 'protocolInstanceId')
  );
}

function makeGroup(events: readonly [RecordedEvent, ...RecordedEvent[]]): Group {
  const [first] = events;
  const kind = eventKind(first.eventType);
  const category = categoryOf(first);
  const outcome = events.map(outcomeOfEvent).findLast((found) => found !== undefined);
  const group = { id: first.eventId, category, events, open: (kind.opens ?? false) && outcome === undefined };
  return outcome ? { ...group, outcome } : group;
}

/** A local activity is recorded as a marker: `core_local_activity` (TypeScript, Python, …) or `LocalActivity` (Go, Java). */
function categoryOf(head: RecordedEvent): Category {
  const { category } = eventKind(head.eventType);
  if (category !== 'marker') return category;
  const name = textAt(head.attributes, 'markerName');
  return name === 'core_local_activity' || name === 'LocalActivity' ? 'local' : category;
}

export function outcomeOfEvent(event: RecordedEvent): Outcome | undefined {
  if (event.eventType === eventType.marker) {
    if (categoryOf(event) !== 'local') return undefined;
    return at(event.attributes, 'failure') ? 'failed' : 'ok';
  }
  if (event.eventType === eventType.updateCompleted && at(event.attributes, 'outcome', 'failure')) {
    return 'failed';
  }
  return eventKind(event.eventType).ends;
}
