import proto, { type temporal } from '@temporalio/proto';
import type { Field, MapField, Type } from 'protobufjs';

// The module exports a protobufjs Root, which the generated types lack.
const root: any = proto;
const HistoryEvent: Type = root.lookupType('temporal.api.history.v1.HistoryEvent');
type Payload = temporal.api.common.v1.IPayload;
export type ProtoEvent = temporal.api.history.v1.HistoryEvent;

export const eventTypes = Object.entries<string | number>(proto.temporal.api.enums.v1.EventType).filter(
  (entry): entry is [string, number] => typeof entry[1] === 'number' && entry[1] > 0,
);

/** A place in a message for a payload. */
export interface Place {
  readonly path: string;
  readonly inHeader: boolean;
}

interface Make {
  readonly payload: (place: Place) => Payload;
  readonly variant: number;
  /** The attributes of an event; the attributes of other event types are left out. */
  readonly own?: string;
}

/** Maximum nesting of messages, which limits recursive types: a failure has a chain of at most six causes. */
const DEPTH = 8;

/** The number of members of the widest oneof on a path to a payload, `Failure.failureInfo`. */
export const VARIANTS = 10;

/**
 * Fills every field of a message type, so that every place for a payload contains a payload. Lists get two
 * items, maps get two keys, and each oneof gets the member that the variant selects. Places are in the order
 * of field numbers and map keys. Uses only the protos, and shares no code with the implementation under test.
 */
function fill(type: Type, path: string, inHeader: boolean, depth: number, make: Make): object {
  const message: Record<string, unknown> = {};
  for (const field of type.fieldsArray.toSorted((a, b) => a.id - b.id)) {
    if (type === HistoryEvent) {
      if (field.name.endsWith('EventAttributes') && field.name !== make.own) continue;
    } else {
      const rivals = field.partOf?.fieldsArray ?? [field];
      if (rivals[make.variant % rivals.length] !== field) continue;
    }
    const own = path === '' ? field.name : `${path}.${field.name}`;
    const one = (at: string) => value(field.resolve(), at, inHeader, depth, make);
    const first = one(field.map ? `${own}["a-key"]` : field.repeated ? `${own}[0]` : own);
    if (first === undefined) continue;
    if (field.map) message[field.name] = { 'a-key': first, b_key: one(`${own}.b_key`) };
    else message[field.name] = field.repeated ? [first, one(`${own}[1]`)] : first;
  }
  return message;
}

function value(field: Field | MapField, path: string, inHeader: boolean, depth: number, make: Make): unknown {
  const type = field.resolvedType;
  if (type === null) return scalar(field.type);
  if (!('fieldsArray' in type)) return 1;
  if (type.fullName === '.temporal.api.common.v1.Payload') return make.payload({ path, inHeader });
  if (type.fullName === '.temporal.api.common.v1.SearchAttributes') {
    return { indexedFields: { Customer: { data: Buffer.from('"indexed"') } } };
  }
  const header = type.fullName === '.temporal.api.common.v1.Header';
  return depth === 0 ? undefined : fill(type, path, inHeader || header, depth - 1, make);
}

function scalar(type: string): unknown {
  if (type === 'bool') return true;
  if (type === 'string') return 'text';
  return type === 'bytes' ? Buffer.from('bytes') : 7;
}

const ownAttributes = (name: string): string =>
  `${name
    .replace('EVENT_TYPE_', '')
    .toLowerCase()
    .replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())}EventAttributes`;

/** Returns a message of this type with a payload in every place for a payload. */
export const filled = (type: Type, payload: () => Payload): object =>
  fill(type, '', false, DEPTH + 1, { payload, variant: 0 });

/**
 * Returns an event of one type in which every place of a variant is filled. The event is decoded from bytes,
 * like events from the gRPC client.
 * @param variant selects the member of each oneof, below `VARIANTS`
 */
export async function fullEvent(
  [name, eventType]: readonly [string, number],
  eventId: number,
  variant: number,
  encrypt: (place: Place, n: number) => Promise<Payload>,
): Promise<{ readonly event: ProtoEvent; readonly places: readonly Place[] }> {
  const places: Place[] = [];
  const holes: Payload[] = [];
  const own = ownAttributes(name);
  const payload = (place: Place): Payload => {
    const isOwn = place.path.startsWith(`${own}.`);
    places.push({ ...place, path: isOwn ? place.path.slice(own.length + 1) : place.path });
    const hole: Payload = {};
    holes.push(hole);
    return hole;
  };
  const message = fill(HistoryEvent, '', false, DEPTH, { payload, variant, own });
  if (!(own in message)) throw new Error(`The event type ${name} has no field ${own}.`);
  for (const [n, hole] of holes.entries()) Object.assign(hole, await encrypt(places[n]!, n));
  const event = { ...message, eventId, eventType, taskId: 1 };
  const bytes = HistoryEvent.encode(HistoryEvent.fromObject(event)).finish();
  return { event: proto.temporal.api.history.v1.HistoryEvent.decode(bytes), places };
}
