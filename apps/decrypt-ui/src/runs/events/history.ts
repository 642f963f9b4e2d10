import { type Attributes, partsOfRef, type PayloadRef, type PayloadStub } from '@temporal-kms/codec-api';
import type { Category, Outcome } from '@temporal-kms/histories/events';
import type { StubTally } from '../../payloads/payload-keys.ts';

/** The API's `HistoryEvent`, with the time as a number. */
export interface RecordedEvent {
  readonly eventId: number;
  readonly eventType: number;
  readonly eventName: string;
  /**
   * `eventTime` in milliseconds. A later event can have an earlier time: the server records an activity's
   * start only when the activity closes.
   */
  readonly at: number;
  readonly eventTime: string;
  readonly durable: boolean;
  /** Whether the event has a plaintext payload or failure that should be encrypted. */
  readonly inPlaintext: boolean;
  readonly attributes: Attributes;
  readonly payloads: readonly PayloadStub[];
  readonly userMetadata?: Attributes | undefined;
  readonly links?: readonly Attributes[] | undefined;
  readonly eventGroupMarkers?: readonly Attributes[] | undefined;
  readonly principal?: Attributes | undefined;
}

/** Events about the same subject, such as an activity, a timer or a child workflow. */
export interface Group {
  /** The id of the group's first event, its head. */
  readonly id: number;
  readonly category: Category;
  /** The events in the order of their ids, with the head first. */
  readonly events: readonly [RecordedEvent, ...RecordedEvent[]];
  /**
   * The outcome of the last event that has an outcome. Absent while the group is open, and for single events without an
   * outcome.
   */
  readonly outcome?: Outcome | undefined;
  /** Whether the work that the head began is still in progress. */
  readonly open: boolean;
  /** The number of the latest attempt that an event records; 1 if there was no retry. */
  readonly attempt: number;
  /** When the work that the head scheduled began to run, in milliseconds. */
  readonly startedAt?: number | undefined;
  /** The time of the latest event, in milliseconds. */
  readonly lastAt: number;
  readonly activityId?: string | undefined;
  readonly activityType?: string | undefined;
}

/** The part of a history that is known so far. Immutable: each later event creates a new object. */
export interface History {
  /** The events, without gaps: `events[i].eventId === i + 1`. */
  readonly events: readonly RecordedEvent[];
  /** The groups, in the order of their first events. */
  readonly groups: readonly Group[];
  /** The id of the last durable event, or 0 before the first durable event. */
  readonly lastDurable: number;
  /** The times of all events in milliseconds, ascending. */
  readonly times: readonly number[];
  /** Counts of all payloads. */
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

/** Returns the index in `groups` of an event's group, or -1 if the history does not contain the event. */
export const groupIndexOf = (history: History, eventId: number): number => history.owners[eventId - 1] ?? -1;

/** Returns an event's group. */
export const groupOfEvent = (history: History, eventId: number | undefined): Group | undefined =>
  eventId === undefined ? undefined : history.groups[groupIndexOf(history, eventId)];

/** Returns the event that contains a payload. */
export const eventOfPayload = (history: History, ref: PayloadRef): RecordedEvent | undefined =>
  history.events[partsOfRef(ref).eventId - 1];

/** Returns the stub of an event's payload. */
export const stubOf = (history: History, ref: PayloadRef): PayloadStub | undefined =>
  eventOfPayload(history, ref)?.payloads.find((stub) => stub.ref === ref);

/** Returns the next event after `after` that has a plaintext payload or failure that should be encrypted; wraps around at the end. */
export function nextPlaintext({ events }: History, after = 0): number | undefined {
  const start = Math.min(after, events.length);
  return [...events.slice(start), ...events.slice(0, start)].find(({ inPlaintext }) => inPlaintext)?.eventId;
}

/** Returns an event as the server sent it. */
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
