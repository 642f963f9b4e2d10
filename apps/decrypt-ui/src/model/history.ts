import type { HistoryEvent } from '@temporal-kms/codec-api';
import { type Category, eventKind } from './event-kinds.ts';
import type { Outcome } from './outcome.ts';
import { at, millisOf, numberAt, textAt } from './values.ts';

export interface RecordedEvent extends HistoryEvent {
  /**
   * `eventTime` in milliseconds. It does not always grow with `eventId`: the server writes an activity's start when the
   * activity closes.
   */
  readonly at: number;
}

/** Events about the same thing: an activity, a timer, a child workflow. */
export interface Group {
  /** The event id of the head. */
  readonly id: number;
  readonly category: Category;
  /** In the order of their ids. The first is the head. */
  readonly events: readonly [RecordedEvent, ...RecordedEvent[]];
  /** The outcome of the last event that has one. Absent while the group is open, and for single events without one. */
  readonly outcome?: Outcome;
  /** True until an event ends what the head began. */
  readonly open: boolean;
}

export interface History {
  /** Without gaps: `events[i].eventId === i + 1`. */
  readonly events: readonly RecordedEvent[];
  readonly groups: readonly Group[];
  /** The id of the last durable event; 0 before the first. */
  readonly lastDurable: number;
}

export const emptyHistory: History = { events: [], groups: [], lastDurable: 0 };

/** A frame does not follow the last event. The caller must open the stream again after the last durable event. */
class HistoryGap extends Error {
  override readonly name = 'HistoryGap';
}

/**
 * Builds a history frame by frame, with its groups. Events after the last durable one are provisional: a transient or
 * speculative workflow task event may be replaced by another event, or by none. The next frame with events therefore drops
 * them, and the last event under an id wins.
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
    if (event.eventName === 'WorkflowExecutionUpdateAdmitted') remember(recorded);
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
    if (isUpdateDecision(event)) {
      const id = updateId(event);
      return id === undefined ? undefined : admissions.get(id);
    }
    const { joins } = eventKind(event);
    return joins === undefined ? undefined : numberAt(event.attributes, joins);
  }

  return {
    /** @throws HistoryGap when an event before the frame's first new event is missing */
    append(frame: readonly HistoryEvent[]) {
      const fresh = frame.filter((event) => event.eventId > lastDurable);
      if (fresh.length === 0) return;
      truncate(lastDurable);
      for (const event of fresh) add(event);
    },
    get lastDurable() {
      return lastDurable;
    },
    /** A copy that later frames do not change. Groups that they leave alone stay the same objects. */
    snapshot: (): History => ({ events: events.slice(), groups: groups.slice(), lastDurable }),
  };
}

const isUpdateDecision = ({ eventName }: HistoryEvent) =>
  eventName === 'WorkflowExecutionUpdateAccepted' || eventName === 'WorkflowExecutionUpdateRejected';

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
  const kind = eventKind(first);
  const category = categoryOf(first);
  const outcome = events.map(outcomeOfEvent).findLast((found) => found !== undefined);
  const group = { id: first.eventId, category, events, open: (kind.opens ?? false) && outcome === undefined };
  return outcome ? { ...group, outcome } : group;
}

/**
 * A local activity is recorded as a marker: `core_local_activity` by the Core SDKs (TypeScript, Python), `LocalActivity` by
 * the Go and Java SDKs.
 */
function categoryOf(head: RecordedEvent): Category {
  const { category } = eventKind(head);
  if (category !== 'marker') return category;
  const name = textAt(head.attributes, 'markerName');
  return name === 'core_local_activity' || name === 'LocalActivity' ? 'local' : category;
}

/** The outcome that an event records; undefined for events without one. */
export function outcomeOfEvent(event: RecordedEvent): Outcome | undefined {
  if (event.eventName === 'MarkerRecorded') {
    if (categoryOf(event) !== 'local') return undefined;
    return at(event.attributes, 'failure') ? 'failed' : 'ok';
  }
  if (event.eventName === 'WorkflowExecutionUpdateCompleted' && at(event.attributes, 'outcome', 'failure')) {
    return 'failed';
  }
  return eventKind(event).ends;
}
