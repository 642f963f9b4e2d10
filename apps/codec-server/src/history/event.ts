import type { Attributes, HistoryEvent, PayloadStub } from '@temporal-kms/codec-api';
import proto, { type temporal } from '@temporalio/proto';
import { enumName } from './enum-name.ts';
import { payloadToJson } from '../json/payload-json.ts';
import { type Found, findPayloads, timestamp, type Visit, writeMessage } from './message.ts';
import { type SealedIn, sealedIn } from './context.ts';
import { type Inspect, placeholder, stubOf } from './stub.ts';

export type ProtoEvent = temporal.api.history.v1.IHistoryEvent;

const TYPE = 'temporal.api.history.v1.HistoryEvent';

export const eventIdOf = (event: ProtoEvent): number => Number(event.eventId ?? 0);

/** The event without its payloads' bytes: what of it may be read without a key. */
export function eventRow(event: ProtoEvent, own: SealedIn, inspect: Inspect): HistoryEvent {
  const eventId = eventIdOf(event);
  const payloads: PayloadStub[] = [];
  const written = writeMessage(TYPE, event, (found) => {
    const ref = `${eventId}:${payloads.length}`;
    const placed = inAttributes(found, event);
    payloads.push(stubOf(ref, placed, sealedIn(event, placed.path, own), inspect));
    return placeholder(ref);
  });
  const eventType = event.eventType ?? 0;
  return {
    eventId,
    eventTime: timestamp(event.eventTime ?? {}),
    eventType,
    eventName: eventName(eventType),
    attributes: attributesOf(written),
    ...(isMessage(written['userMetadata']) ? { userMetadata: written['userMetadata'] } : {}),
    ...listed('links', written),
    ...listed('eventGroupMarkers', written),
    ...(isMessage(written['principal']) ? { principal: written['principal'] } : {}),
    payloads,
    durable: isDurable(event),
  };
}

/** The event as Temporal's own tools write it, search attributes as payloads; `visit` sees payloads by their refs' order. */
export function storedEvent(event: ProtoEvent, visit: Visit): Record<string, unknown> {
  return writeMessage(TYPE, event, visit, payloadToJson);
}

/** The event's payloads; the n-th is the one that `<eventId>:<n>` names. */
export function eventPayloads(event: ProtoEvent): Found[] {
  return findPayloads(TYPE, event).map((found) => inAttributes(found, event));
}

/**
 * `taskId` is given when an event is written to the store. The server appends events of a workflow task under way
 * (transient after a failed task, speculative for an update) without one; others may come to stand under their ids.
 */
export const isDurable = (event: ProtoEvent): boolean => Number(event.taskId ?? 0) !== 0;

const ATTRIBUTES = /EventAttributes$/;

const attributesOf = (written: Attributes): Attributes => {
  const name = Object.keys(written).find((key) => ATTRIBUTES.test(key));
  const attributes = name === undefined ? undefined : written[name];
  return isMessage(attributes) ? attributes : {};
};

/** Paths start inside the attributes; a payload beside them (`userMetadata.summary`) keeps its own. */
function inAttributes(found: Found, event: ProtoEvent): Found {
  const dot = found.path.indexOf('.');
  if (!ATTRIBUTES.test(found.path.slice(0, dot))) return found;
  const path = found.path.slice(dot + 1);
  const isPlain = isCoreField(path, event) || isSystemEnvelope(found);
  return { ...found, path, sealable: found.sealable && !isPlain };
}

/** Fields that Temporal's Core writes into a marker after the codec has run: plain by design. */
function isCoreField(path: string, { markerRecordedEventAttributes: marker }: ProtoEvent): boolean {
  switch (marker?.markerName) {
    case 'core_patch':
      return path.startsWith('details');
    case 'core_local_activity':
      return path.startsWith('details.data.');
    default:
      return false;
  }
}

/**
 * What Temporal's own Nexus endpoint (`__temporal_system`) is given is an envelope that its server reads: a codec sees
 * only the payloads inside, which aren't looked for here (temporalio/api-go#297).
 */
const isSystemEnvelope = ({ path, payload: { metadata } }: Found): boolean =>
  path.startsWith('nexusOperation') &&
  Buffer.from(metadata?.['__temporal_system_payload'] ?? '').equals(TRUE);
const TRUE = Buffer.from('true');

function eventName(type: number): string {
  const name: string | undefined = proto.temporal.api.enums.v1.EventType[type];
  if (name === undefined) return `Unknown(${type})`;
  return enumName(name, 'EVENT_TYPE_');
}

const listed = (
  name: 'links' | 'eventGroupMarkers',
  written: Attributes,
): Partial<Record<typeof name, Attributes[]>> => {
  const list = written[name];
  return Array.isArray(list) ? { [name]: list.filter(isMessage) } : {};
};

const isMessage = (value: unknown): value is Attributes => typeof value === 'object' && value !== null;
