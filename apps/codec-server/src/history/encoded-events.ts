import { lookupType, type Payload, type ProtoEvent } from '@temporal-kms/histories/payloads';
import proto, { type temporal } from '@temporalio/proto';
import { HttpError } from '../errors.ts';
import { hasTooManyEntries, MAX_ENTRIES } from '../json/payload.ts';
import { planOf } from '../temporal/decode-plan.ts';
import { cut, lengthDelimited, MAX_VALUES, measure, varintAt, wireFields } from '../temporal/wire-scan.ts';

/*
 * Events as Temporal stores them. Workers decide what events contain, so events are measured before they are
 * decoded.
 */

const { History, HistoryEvent } = proto.temporal.api.history.v1;
const { ENCODING_TYPE_PROTO3 } = proto.temporal.api.enums.v1.EncodingType;
const TYPE = 'temporal.api.history.v1.HistoryEvent';

/**
 * Maximum size of an event's text in JSON, in bytes: three times what Temporal accepts. Only text that
 * consists mostly of control characters can exceed this limit.
 */
const MAX_TEXT = 12 * 1024 * 1024;

/** An event of an encoded `History` message. */
export interface EncodedEvent {
  readonly eventId: number;
  readonly eventType: number;
  /** See `isDurable`. */
  readonly isDurable: boolean;
  /** The event, encoded as a field of a `History` message. */
  readonly encoded: Uint8Array;
  /** See `MAX_VALUES`. */
  readonly values: number;
  /** An upper bound for the memory that the decoded event and its JSON take. */
  readonly bytes: number;
}

type HistoryResponse = Pick<
  temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryResponse,
  'history' | 'rawHistory'
>;

/**
 * Returns the events of a page. Leaves out the attributes of an event with more than `MAX_VALUES` values or
 * `MAX_TEXT` bytes of text: see `isReduced`.
 */
export function encodedEvents({ history, rawHistory }: HistoryResponse): EncodedEvent[] {
  const blobs = (rawHistory ?? []).map(({ encodingType, data }) => {
    if (encodingType === ENCODING_TYPE_PROTO3) return data ?? new Uint8Array();
    throw new HttpError(
      500,
      'internal',
      'Temporal sent this history in an encoding other than proto3, which this server cannot read.',
    );
  });
  const decoded = history?.events?.length ? [History.encode(history).finish()] : [];
  return [...decoded, ...blobs].flatMap((blob) => eventsIn(blob));
}

/** Returns the events of an encoded `History` message. */
export function eventsIn(bytes: Uint8Array): EncodedEvent[] {
  const events: EncodedEvent[] = [];
  for (const { number, content, end } of wireFields(bytes))
    if (number === EVENTS) events.push(eventOf(bytes.subarray(content, end)));
  return events;
}

/**
 * Leaves out the attributes of the events with the most values, until all events together fit into
 * `MAX_VALUES`.
 */
export function reduced(events: readonly EncodedEvent[]): EncodedEvent[] {
  let left = valuesOf(events);
  const omitted = new Set<EncodedEvent>();
  for (const event of events.toSorted((a, b) => b.values - a.values)) {
    if (left <= MAX_VALUES) break;
    left -= event.values;
    omitted.add(event);
  }
  return events.map((event) => (omitted.has(event) ? withoutAttributes(event) : event));
}

export const valuesOf = (events: readonly EncodedEvent[]): number =>
  events.reduce((sum, { values }) => sum + values, 0);

/** Returns the events as an encoded `History` message. */
export const concatenated = (events: readonly EncodedEvent[]): Buffer =>
  Buffer.concat(events.map((event) => event.encoded));

/**
 * Whether this server has left out the event's attributes. The server gives such an event a summary with more
 * external payloads than the limit, so that every route reports the summary as `too_large`.
 */
export const isReduced = (event: ProtoEvent): boolean =>
  hasTooManyEntries(event.userMetadata?.summary ?? {}) &&
  !Object.keys(event).some((name) => name.endsWith('EventAttributes'));

const omission: Payload = {
  externalPayloads: Array.from({ length: MAX_ENTRIES + 1 }, () =>
    proto.temporal.api.common.v1.Payload.ExternalPayloadDetails.create(),
  ),
};

const { fields } = lookupType(TYPE);
const idOf = (name: string): number => fields[name]?.id ?? 0;
const EVENTS = lookupType('temporal.api.history.v1.History').fields['events']?.id ?? 0;
const [EVENT_ID, EVENT_TYPE, TASK_ID] = [idOf('eventId'), idOf('eventType'), idOf('taskId')];
/** The fields that an event without attributes keeps. All these fields have a fixed size. */
const kept = new Set(
  ['eventId', 'eventTime', 'eventType', 'version', 'taskId', 'workerMayIgnore'].map((name) => idOf(name)),
);

function eventOf(bytes: Uint8Array): EncodedEvent {
  const measured = measure(bytes, planOf(TYPE), 1);
  const { values } = measured;
  const event = { ...headOf(bytes), values, bytes: measured.bytes + bytes.length };
  if (measured.isMalformed || values > MAX_VALUES || measured.text > MAX_TEXT)
    return withoutAttributes({ ...event, encoded: asField(bytes) });
  const whole = measured.hasSurplus
    ? cut(bytes, planOf(TYPE), { values: MAX_VALUES, bytes: Number.POSITIVE_INFINITY }, 1)
    : bytes;
  return { ...event, encoded: asField(whole) };
}

function headOf(bytes: Uint8Array): Pick<EncodedEvent, 'eventId' | 'eventType' | 'isDurable'> {
  let eventId = 0;
  let eventType = 0;
  let isDurable = false;
  for (const { number, content } of wireFields(bytes)) {
    if (number === EVENT_ID) eventId = varintAt(bytes, content);
    else if (number === EVENT_TYPE) eventType = varintAt(bytes, content);
    else if (number === TASK_ID) isDurable = varintAt(bytes, content) !== 0;
  }
  return { eventId, eventType, isDurable };
}

function withoutAttributes({ encoded, ...head }: EncodedEvent): EncodedEvent {
  const [field] = wireFields(encoded);
  const bytes = encoded.subarray(field?.content, field?.end);
  const parts: Uint8Array[] = [];
  for (const { number, start, end } of wireFields(bytes))
    if (kept.has(number)) parts.push(bytes.subarray(start, end));
  const small = Buffer.concat([
    ...parts,
    HistoryEvent.encode({ userMetadata: { summary: omission } }).finish(),
  ]);
  const { values, bytes: memory } = measure(small, planOf(TYPE), 1);
  return { ...head, encoded: asField(small), values, bytes: memory + small.length };
}

const asField = (event: Uint8Array): Uint8Array => lengthDelimited(EVENTS, event);
