import { type Attributes, partsOfRef, type PayloadRef, type PayloadStub } from '@temporal-kms/codec-api';
import type { Category, Outcome } from '@temporal-kms/histories/events';
import type { StubTally } from '../../payloads/payload-keys.ts';

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

/** The event that contains a payload. */
export const eventOfPayload = (history: History, ref: PayloadRef): RecordedEvent | undefined =>
  history.events[partsOfRef(ref).eventId - 1];

/** The stub of an event's payload. */
export const stubOf = (history: History, ref: PayloadRef): PayloadStub | undefined =>
  eventOfPayload(history, ref)?.payloads.find((stub) => stub.ref === ref);

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
