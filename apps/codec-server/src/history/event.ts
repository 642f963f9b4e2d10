import { type Attributes, type HistoryEvent, payloadRefOf, type PayloadStub } from '@temporal-kms/codec-api';
import {
  eventIdOf,
  eventName,
  isDurable,
  type PayloadContext,
  type PayloadLocation,
  type ProtoEvent,
  storedPayload,
  timestamp,
  writeMessage,
} from '@temporal-kms/histories/payloads';
import { isReduced } from './encoded-events.ts';
import { type Inspect, payloadStub, placeholder } from './payload-stub.ts';
import type { StreamLifetime } from './stream-limits.ts';

const TYPE = 'temporal.api.history.v1.HistoryEvent';
const ATTRIBUTES = /EventAttributes$/;

/**
 * Returns the event in the history API's form: complete, but with stubs in place of payloads. Calls
 * `checkpoint` between payloads, because an event may have tens of thousands of payloads.
 */
export async function historyEvent(
  event: ProtoEvent,
  home: PayloadContext,
  inspect: Inspect,
  { checkpoint }: Pick<StreamLifetime, 'checkpoint'>,
): Promise<HistoryEvent> {
  const eventId = eventIdOf(event);
  const locations: PayloadLocation[] = [];
  const json = writeMessage(TYPE, event, (location) =>
    placeholder(payloadRefOf(eventId, locations.push(location) - 1)),
  );
  const payloads: PayloadStub[] = [];
  for (const [n, location] of locations.entries()) {
    if (n > 0) await checkpoint();
    const stored = storedPayload(location, event, home);
    payloads.push(payloadStub(payloadRefOf(eventId, n), stored, stored.context, inspect));
  }
  const eventType = event.eventType ?? 0;
  return {
    eventId,
    eventTime: timestamp(event.eventTime ?? {}),
    eventType,
    eventName: eventName(eventType),
    attributes: isReduced(event) ? OMITTED : attributesOf(json),
    ...(isMessage(json['userMetadata']) ? { userMetadata: json['userMetadata'] } : {}),
    ...messageList('links', json),
    ...messageList('eventGroupMarkers', json),
    ...(isMessage(json['principal']) ? { principal: json['principal'] } : {}),
    payloads,
    durable: isDurable(event),
  };
}

/** The replacement for attributes that contain more values than the server decodes. */
const OMITTED: Attributes = { $omitted: 'too_large' };

const attributesOf = (json: Attributes): Attributes => {
  const name = Object.keys(json).find((key) => ATTRIBUTES.test(key));
  const attributes = name === undefined ? undefined : json[name];
  return isMessage(attributes) ? attributes : {};
};

const messageList = (
  name: 'links' | 'eventGroupMarkers',
  json: Attributes,
): Partial<Record<typeof name, Attributes[]>> => {
  const list = json[name];
  return Array.isArray(list) ? { [name]: list.filter(isMessage) } : {};
};

const isMessage = (value: unknown): value is Attributes => typeof value === 'object' && value !== null;
