import type { HistoryEvent } from '@temporal-kms/codec-api';
import type { RecordedEvent } from './history.ts';
import type { EventDelta } from './history-indexer.ts';

type Detail = Omit<HistoryEvent, 'eventId' | 'eventType' | 'eventName' | 'durable'>;

/** Maximum number of events whose details stay parsed: more than the visible rows and the inspector need. */
const MAX_PARSED = 2000;

/** A ring buffer of a history's events whose details are parsed. `next` is the index of the next event to evict. */
export interface ParsedEvents {
  readonly events: StoredEvent[];
  next: number;
}

export const noParsedEvents = (): ParsedEvents => ({ events: [], next: 0 });

/**
 * An event that stores its attributes and stubs as JSON text and parses them when read. A long history has tens of
 * megabytes of attributes, of which a screen shows only kilobytes.
 */
export class StoredEvent implements RecordedEvent {
  readonly eventId: number;
  readonly at: number;
  readonly eventType: number;
  readonly eventName: string;
  readonly durable: boolean;
  readonly inPlaintext: boolean;
  readonly #text: string;
  readonly #recent: ParsedEvents;
  #detail: Detail | undefined;

  constructor(delta: EventDelta, eventName: string, recent: ParsedEvents) {
    this.eventId = delta.eventId;
    this.at = delta.at;
    this.eventType = delta.eventType;
    this.eventName = eventName;
    this.durable = delta.durable;
    this.inPlaintext = delta.inPlaintext;
    this.#text = delta.detail;
    this.#recent = recent;
  }

  get #parsed(): Detail {
    if (this.#detail) return this.#detail;
    const { events, next } = this.#recent;
    const evicted = events[next];
    if (evicted) evicted.#detail = undefined;
    events[next] = this;
    this.#recent.next = (next + 1) % MAX_PARSED;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the worker validated the event and wrote this text
    this.#detail = JSON.parse(this.#text) as Detail;
    return this.#detail;
  }
  get eventTime() {
    return this.#parsed.eventTime;
  }
  get attributes() {
    return this.#parsed.attributes;
  }
  get payloads() {
    return this.#parsed.payloads;
  }
  get userMetadata() {
    return this.#parsed.userMetadata;
  }
  get links() {
    return this.#parsed.links;
  }
  get eventGroupMarkers() {
    return this.#parsed.eventGroupMarkers;
  }
  get principal() {
    return this.#parsed.principal;
  }
}
