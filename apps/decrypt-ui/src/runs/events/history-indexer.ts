import type { Attributes, HistoryEvent } from '@temporal-kms/codec-api';
import {
  type Category,
  categoryOf,
  type EventGroup,
  eventKind,
  isStart,
  isUpdateDecision,
  millisOf,
  numberAt,
  type Outcome,
  outcomeOfEvent,
  type RunEvent,
  textAt,
  updateId,
} from '@temporal-kms/histories/events';
import { plaintextFailures } from '@temporal-kms/histories/failures';
import { addPlaintextFailures, addStub, type StubTally } from '../../payloads/payload-keys.ts';
import { categoryText } from './describe-group.ts';
import { eventWords, groupWords } from './event-words.ts';

/** An event as the page stores it: the fields that every row needs, and the rest as JSON, which is parsed only when shown. */
export interface EventDelta {
  readonly eventId: number;
  readonly at: number;
  readonly eventType: number;
  readonly eventName: string;
  readonly durable: boolean;
  /** Whether the event has a payload or failure in plaintext that should be encrypted. */
  readonly inPlaintext: boolean;
  /** The event's other members, as JSON. */
  readonly detail: string;
}

/** A group that is new or has changed. */
export interface GroupDelta {
  /** The id of the group's first event, its head. */
  readonly id: number;
  readonly category: Category;
  /** The event ids in ascending order, with the head's id first. */
  readonly eventIds: readonly number[];
  readonly outcome?: Outcome | undefined;
  readonly open: boolean;
  /** The number of the latest attempt that an event records; 1 if there was no retry. */
  readonly attempt: number;
  /** When the work began to run, in milliseconds. */
  readonly startedAt?: number | undefined;
  readonly activityId?: string | undefined;
  readonly activityType?: string | undefined;
}

/** What a frame adds to a history. */
export interface HistoryDelta {
  /** Events after this id were provisional: drop them before you add the new events. */
  readonly keep: number;
  readonly events: readonly EventDelta[];
  readonly groups: readonly GroupDelta[];
  readonly lastDurable: number;
  /** Counts of all payloads so far. */
  readonly tallies: readonly StubTally[];
}

/** A group with the events themselves instead of their ids. */
export type TimedGroup = Omit<GroupDelta, 'eventIds'> & EventGroup;

export interface TimedHistory {
  readonly events: readonly RunEvent[];
  /** The groups in the order of their first events. */
  readonly groups: readonly TimedGroup[];
}

/**
 * Thrown if a frame does not follow the last durable event. The caller must request the events after the last
 * durable event again.
 */
export class HistoryGap extends Error {
  override readonly name = 'HistoryGap';
}

interface IndexedEvent {
  readonly eventId: number;
  readonly eventName: string;
  readonly at: number;
  /**
   * Contains only `workflowTaskCompletedEventId`, if the event has this attribute. No other attribute is
   * needed later.
   */
  readonly attributes: Attributes;
  readonly group: IndexedGroup;
  readonly outcome: Outcome | undefined;
  /** The attempt that the event records. */
  readonly attempt: number | undefined;
  readonly startedAt: number | undefined;
  readonly words: string;
  /** A provisional event, whose counts may need to be subtracted again. */
  readonly provisional: HistoryEvent | undefined;
}

interface IndexedGroup {
  readonly id: number;
  readonly category: Category;
  readonly opens: boolean;
  readonly activityId: string | undefined;
  readonly activityType: string | undefined;
  readonly words: string;
  readonly events: IndexedEvent[];
}

/**
 * Creates an indexer, which groups a history's events frame by frame and describes each change. Events after
 * the last durable event are provisional: the server may replace or drop a transient or speculative workflow
 * task event. Therefore, the next frame with events drops provisional events, and of two events with the same
 * id, the later one wins.
 *
 * The indexer runs in a worker together with the parser, so that a long history does not block the page.
 */
export function createHistoryIndexer() {
  const events: IndexedEvent[] = [];
  /** The id of the event that admitted an update, by update id. */
  const admissions = new Map<string, number>();
  const tallies = new Map<string, StubTally>();
  let lastDurable = 0;

  function count({ payloads, attributes }: HistoryEvent, by: number) {
    for (const stub of payloads) addStub(tallies, stub, by);
    addPlaintextFailures(tallies, by * plaintextFailures(attributes));
  }

  function truncate(changed: Set<IndexedGroup>) {
    while (events.length > lastDurable) {
      const event = events.pop();
      if (!event) return;
      event.group.events.pop();
      if (event.provisional) count(event.provisional, -1);
      if (event.group.events.length > 0) changed.add(event.group);
      else changed.delete(event.group);
    }
  }

  function add(event: HistoryEvent, changed: Set<IndexedGroup>) {
    const head = headOf(event);
    const group = head ?? newGroup(event);
    const started = isStart(event);
    const at = timeOf(event);
    const indexed: IndexedEvent = {
      eventId: event.eventId,
      eventName: event.eventName,
      at,
      attributes: decisionOf(event),
      group,
      outcome: outcomeOfEvent(event),
      attempt: event.eventName === 'ActivityTaskStarted' ? numberAt(event.attributes, 'attempt') : undefined,
      startedAt: started ? at : undefined,
      words: eventWords(event),
      provisional: event.durable ? undefined : event,
    };
    group.events.push(indexed);
    events.push(indexed);
    changed.add(group);
    count(event, 1);
    if (event.durable) lastDurable = event.eventId;
    if (event.eventName === 'WorkflowExecutionUpdateAdmitted') {
      const id = updateId(event);
      if (id !== undefined) admissions.set(id, event.eventId);
    }
  }

  function headOf(event: HistoryEvent): IndexedGroup | undefined {
    let id: number | undefined;
    if (isUpdateDecision(event)) {
      const update = updateId(event);
      id = update === undefined ? undefined : admissions.get(update);
    } else {
      const { joins } = eventKind(event);
      id = joins === undefined ? undefined : numberAt(event.attributes, joins);
    }
    return id === undefined ? undefined : events[id - 1]?.group;
  }

  return {
    /**
     * Adds a frame's events. Returns undefined if the history already has all of the frame's events.
     * @throws HistoryGap if an event before the frame's first new event is missing; the index is then unchanged
     */
    append(frame: readonly HistoryEvent[]): HistoryDelta | undefined {
      const keep = lastDurable;
      const fresh = frame.filter((event) => event.eventId > keep);
      if (fresh.length === 0) return undefined;
      for (const [index, { eventId }] of fresh.entries()) {
        if (eventId !== keep + index + 1) {
          throw new HistoryGap(`Event ${eventId} came after event ${keep + index}.`);
        }
      }
      const changed = new Set<IndexedGroup>();
      truncate(changed);
      for (const event of fresh) add(event, changed);
      return {
        keep,
        events: fresh.map(eventDelta),
        groups: [...changed].map(groupDelta).toSorted((a, b) => a.id - b.id),
        lastDurable,
        tallies: [...tallies.values()],
      };
    },
    /** Returns the ids of the events, starting at `from`, whose names contain all words, in ascending order. */
    find(words: readonly string[], from = 1): number[] {
      const found: number[] = [];
      for (let index = from - 1; index < events.length; index += 1) {
        const event = events[index];
        if (event && words.every((word) => event.words.includes(word) || event.group.words.includes(word))) {
          found.push(event.eventId);
        }
      }
      return found;
    },
    /** Returns the events and their groups, from which `runTimes` computes where the run's time went. */
    timed(): TimedHistory {
      const groups = events.flatMap(({ eventId, group }): TimedGroup[] => {
        const [head, ...rest] = group.events;
        if (head === undefined || eventId !== group.id) return [];
        return [{ ...groupDelta(group), events: [head, ...rest] }];
      });
      return { events, groups };
    },
    get length() {
      return events.length;
    },
  };
}

const undecided: Attributes = {};

function decisionOf({ attributes }: HistoryEvent): Attributes {
  const { workflowTaskCompletedEventId } = attributes;
  return workflowTaskCompletedEventId === undefined ? undecided : { workflowTaskCompletedEventId };
}

const timeOf = (event: HistoryEvent) => millisOf(event.eventTime) ?? 0;

function newGroup(head: HistoryEvent): IndexedGroup {
  const category = categoryOf(head);
  return {
    id: head.eventId,
    category,
    opens: eventKind(head).opens ?? false,
    activityId: category === 'activity' ? textAt(head.attributes, 'activityId') : undefined,
    activityType: category === 'activity' ? textAt(head.attributes, 'activityType', 'name') : undefined,
    words: groupWords(head, categoryText[category]),
    events: [],
  };
}

function groupDelta({ id, category, opens, activityId, activityType, events }: IndexedGroup): GroupDelta {
  const outcome = events.findLast((event) => event.outcome !== undefined)?.outcome;
  return {
    id,
    category,
    eventIds: events.map((event) => event.eventId),
    outcome,
    open: opens && outcome === undefined,
    attempt: events.find((event) => event.attempt !== undefined)?.attempt ?? 1,
    startedAt: events.find((event) => event.startedAt !== undefined)?.startedAt,
    activityId,
    activityType,
  };
}

function eventDelta(event: HistoryEvent): EventDelta {
  const { eventId, eventType, eventName, durable, ...detail } = event;
  const inPlaintext =
    event.payloads.some(({ reason }) => reason === 'not_encrypted') ||
    plaintextFailures(event.attributes) > 0;
  return {
    eventId,
    eventType,
    eventName,
    durable,
    inPlaintext,
    at: timeOf(event),
    detail: JSON.stringify(detail),
  };
}
