import { eventPayloads, lookupType, workflowContext } from '@temporal-kms/histories/payloads';
import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import {
  concatenated,
  encodedEvents,
  eventsIn,
  isReduced,
  reduced,
  valuesOf,
} from '../../src/history/encoded-events.ts';
import { hasTooManyEntries } from '../../src/json/payload.ts';
import { lengthDelimited } from '../../src/temporal/wire-scan.ts';

const { History } = proto.temporal.api.history.v1;
const idOf = (type: string, field: string): number => lookupType(`temporal.api.${type}`).fields[field]!.id;

/** protobufjs accepts numbers for 64-bit integers when it encodes. */
const bytesOf = (...events: any[]): Uint8Array => History.encode({ events }).finish();
const encoded = (...events: any[]) => eventsIn(bytesOf(...events));
const decoded = (events: ReturnType<typeof encoded>) => History.decode(concatenated(events)).events;
const started = (eventId: number, payloads: number, more?: object) => ({
  eventId,
  eventType: 1,
  taskId: 5,
  workflowExecutionStartedEventAttributes: {
    input: { payloads: Array.from({ length: payloads }, () => ({})) },
  },
  ...more,
});
const flags = {
  eventId: 1,
  taskId: 5,
  workflowTaskCompletedEventAttributes: {
    sdkMetadata: { coreUsedFlags: Array.from({ length: 60_000 }, () => 1) },
  },
};
/** Returns an event whose attributes consist of these bytes. */
const withBytes = (...attributes: number[]): Uint8Array =>
  lengthDelimited(1, Buffer.from([0x08, 1, 0x28, 1, 0x32, attributes.length, ...attributes]));
const groups = (byte: number): number[] => Array.from({ length: 12 }, () => byte);

describe('an encoded event', () => {
  it('is decoded to the event that was encoded', () => {
    const events: any[] = [started(1, 3), { eventId: 2, eventType: 17 }];
    const read = encodedEvents({ history: { events } });
    expect(read.map(({ eventId, isDurable }) => [eventId, isDurable])).toEqual([
      [1, true],
      [2, false],
    ]);
    expect(decoded(read)).toEqual(History.decode(bytesOf(...events)).events);
  });

  it.each<[string, Uint8Array]>([
    ['payloads', bytesOf(started(1, 60_000))],
    ['flags of one byte each', bytesOf(flags)],
    ['links', bytesOf(started(1, 1, { links: Array.from({ length: 60_000 }, () => ({})) }))],
    [
      'text of control characters',
      bytesOf({ ...started(1, 1), principal: { name: '\u0001'.repeat(3_000_000) } }),
    ],
    ['an unfinished group', withBytes(0x9b, 0x3f)],
    ['a group that ends another', withBytes(0x9b, 0x3f, 0xa4, 0x3f)],
    ['groups in groups', withBytes(...groups(0x0b), ...groups(0x0c))],
    ['the field number 0', withBytes(0x00, 0x00)],
    ['an unfinished number', withBytes(0x60, 0x80)],
  ])('loses its attributes because of %s', (_, bytes) => {
    const [event] = decoded(eventsIn(bytes));
    expect(isReduced(event!)).toBe(true);
    const payloads = eventPayloads(event!, workflowContext({ namespace: 'n', workflowId: 'w' }));
    expect(payloads.map(({ path, payload }) => [path, hasTooManyEntries(payload)])).toEqual([
      ['userMetadata.summary', true],
    ]);
    expect([Number(event!.eventId), Number(event!.taskId) > 0]).toEqual([1, true]);
  });

  it.each([
    [80, false],
    [150, true],
  ])('loses its attributes if it has a chain of %s causes (%s)', (depth, expected) => {
    let failure: Uint8Array = proto.temporal.api.failure.v1.Failure.encode({ message: 'm' }).finish();
    for (let n = 0; n < depth; n += 1)
      failure = lengthDelimited(idOf('failure.v1.Failure', 'cause'), failure);
    const field = idOf('history.v1.HistoryEvent', 'workflowExecutionFailedEventAttributes');
    const attributes = lengthDelimited(field, lengthDelimited(1, failure));
    const [event] = decoded(eventsIn(lengthDelimited(1, Buffer.concat([Buffer.from([8, 1]), attributes]))));
    expect(isReduced(event!)).toBe(expected);
  });

  it('keeps attributes with as much text as Temporal accepts', () => {
    const [event] = decoded(encoded({ ...started(1, 1), principal: { name: 'a\n'.repeat(1_900_000) } }));
    expect(isReduced(event!)).toBe(false);
  });

  it('keeps attributes with groups, and with fields of another wire type, which the decoder ignores', () => {
    for (const bytes of [withBytes(0x9b, 0x3f, 0x08, 0x01, 0x9c, 0x3f), withBytes(0x70, 0x05, 0x0b, 0x0c)]) {
      const [event] = decoded(eventsIn(bytes));
      expect(event!.workflowExecutionStartedEventAttributes).toBeTruthy();
    }
  });
});

describe('a page with too many values', () => {
  it('omits the attributes of the events with the most values', () => {
    const page = encoded(started(1, 100), started(2, 30_000), started(3, 45_000), started(4, 10_000));
    expect(valuesOf(page)).toBeGreaterThan(80_000);
    const kept = reduced(page);
    expect(valuesOf(kept)).toBeLessThan(50_000);
    expect(decoded(kept).map(isReduced)).toEqual([false, false, true, false]);
  });
});
