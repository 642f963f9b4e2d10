import type { Attributes, PayloadRef, PayloadStub } from '@temporal-kms/codec-api';
import type { Category } from './event-kinds.ts';
import type { GroupDelta, HistoryDelta } from './history-indexer.ts';
import type { StubTally } from './keys.ts';
import type { Outcome } from './outcome.ts';
import { noParsedEvents, StoredEvent } from './stored-event.ts';

/** `HistoryEvent` of the API, with the time as a number. */
export interface RecordedEvent {
  readonly eventId: number;
  readonly eventType: number;
  readonly eventName: string;
  /**
   * `eventTime` in milliseconds. It does not always grow with `eventId`: the server writes an activity's start when the
   * activity closes.
   */
  readonly at: number;
  readonly eventTime: string;
  readonly durable: boolean;
  readonly attributes: Attributes;
  readonly payloads: readonly PayloadStub[];
  readonly userMetadata?: Attributes | undefined;
  readonly links?: readonly Attributes[] | undefined;
  readonly eventGroupMarkers?: readonly Attributes[] | undefined;
  readonly principal?: Attributes | undefined;
}

/** Events about the same thing: an activity, a timer, a child workflow. */
export interface Group {
  /** The event id of the head. */
  readonly id: number;
  readonly category: Category;
  /** In the order of their ids. The first is the head. */
  readonly events: readonly [RecordedEvent, ...RecordedEvent[]];
  /** The outcome of the last event that has one. Absent while the group is open, and for single events without one. */
  readonly outcome?: Outcome | undefined;
  /** True until an event ends what the head began. */
  readonly open: boolean;
  /** The number of the latest attempt that an event records; 1 without a retry. */
  readonly attempt: number;
  /** When the work that the head scheduled began to run, in milliseconds. */
  readonly startedAt?: number | undefined;
  /** The time of the latest event, in milliseconds. */
  readonly lastAt: number;
  readonly activityId?: string | undefined;
}

/** What is known of a history so far. A later event makes another object. */
export interface History {
  /** Without gaps: `events[i].eventId === i + 1`. */
  readonly events: readonly RecordedEvent[];
  /** In the order of their heads. */
  readonly groups: readonly Group[];
  /** The id of the last durable event; 0 before the first. */
  readonly lastDurable: number;
  /** The times of all events in milliseconds, ascending. */
  readonly times: readonly number[];
  /** The counts of all payloads. */
  readonly tallies: readonly StubTally[];
  /** The index in `groups` of each event's group, by `eventId - 1`. */
  readonly owners: readonly number[];
}

export const emptyHistory: History = {
  events: [],
  groups: [],
  lastDurable: 0,
  times: [],
  tallies: [],
  owners: [],
};

/** The index in `groups` of an event's group; -1 if the history does not contain the event. */
export const groupIndexOf = (history: History, eventId: number): number => history.owners[eventId - 1] ?? -1;

/** The group of an event. */
export const groupOfEvent = (history: History, eventId: number | undefined): Group | undefined =>
  eventId === undefined ? undefined : history.groups[groupIndexOf(history, eventId)];

/** The stub of an event's payload. */
export const stubOf = (history: History, ref: PayloadRef): PayloadStub | undefined =>
  history.events[Number(ref.split(':', 1)[0]) - 1]?.payloads.find((stub) => stub.ref === ref);

const isPlaintext = ({ payloads }: RecordedEvent) =>
  payloads.some(({ reason }) => reason === 'not_encrypted');

/** The next event after the given one with a payload in plaintext where ciphertext belongs; the search wraps around. */
export function nextPlaintext({ events }: History, after = 0): number | undefined {
  const start = Math.min(after, events.length);
  return [...events.slice(start), ...events.slice(0, start)].find(isPlaintext)?.eventId;
}

/** An event as the server sent it. */
export const rawEvent = (event: RecordedEvent) => ({
  eventId: event.eventId,
  eventTime: event.eventTime,
  eventType: event.eventType,
  eventName: event.eventName,
  attributes: event.attributes,
  userMetadata: event.userMetadata,
  links: event.links,
  eventGroupMarkers: event.eventGroupMarkers,
  principal: event.principal,
  payloads: event.payloads,
  durable: event.durable,
});

/** Builds a history from the deltas of `createHistoryIndexer`. */
export function createHistoryStore() {
  const events: RecordedEvent[] = [];
  const groups: Group[] = [];
  const owners: number[] = [];
  const times: number[] = [];
  /** Equal names are the same string. */
  const names = new Map<string, string>();
  const parsed = noParsedEvents();
  let lastDurable = 0;
  let tallies: readonly StubTally[] = [];

  function truncate(keep: number) {
    while (events.length > keep) {
      const event = events.pop();
      owners.pop();
      if (event) times.splice(placeOf(times, event.at) - 1, 1);
    }
    for (let last = groups.at(-1); last && last.id > keep; last = groups.at(-1)) groups.pop();
  }

  function setGroup({ eventIds, ...delta }: GroupDelta) {
    const [first, ...rest] = eventIds.flatMap((id) => events[id - 1] ?? []);
    if (!first) return;
    const known = owners[delta.id - 1] ?? -1;
    const index = known < 0 ? groups.length : known;
    const lastAt = rest.reduce((latest, { at }) => Math.max(latest, at), first.at);
    groups[index] = { ...delta, events: [first, ...rest], lastAt };
    for (const id of eventIds) owners[id - 1] = index;
  }

  return {
    apply(delta: HistoryDelta) {
      truncate(delta.keep);
      for (const event of delta.events) {
        const name = names.get(event.eventName) ?? event.eventName;
        names.set(name, name);
        events.push(new StoredEvent(event, name, parsed));
        owners.push(-1);
        // Times are almost in order, so the place is almost always the end.
        times.splice(placeOf(times, event.at), 0, event.at);
      }
      for (const group of delta.groups) setGroup(group);
      ({ lastDurable, tallies } = delta);
    },
    /** A copy that later deltas do not change. Groups that they leave alone stay the same objects. */
    snapshot: (): History => ({
      events: events.slice(),
      groups: groups.slice(),
      owners: owners.slice(),
      times: times.slice(),
      lastDurable,
      tallies,
    }),
    get lastDurable() {
      return lastDurable;
    },
    get length() {
      return events.length;
    },
  };
}

/** Where a time belongs in ascending times, after its equals. */
function placeOf(times: readonly number[], at: number): number {
  let low = 0;
  let high = times.length;
  if (high === 0 || at >= (times[high - 1] ?? 0)) return high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
