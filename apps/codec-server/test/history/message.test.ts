import { eventPayloads, findPayloads, type ProtoEvent, writeMessage } from '@temporal-kms/histories/payloads';
import proto, { type temporal } from '@temporalio/proto';
import visitor, { type WalkEnv } from '@temporalio/proto/lib/payload-visitor.generated.js';
import type { Type } from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { historyEvent } from '../../src/history/event.ts';
import { eventTypes, filled, fullEvent, VARIANTS } from '../support/full-event.ts';

// `@temporalio/proto` exports a protobufjs Root, but the package's types do not declare the Root's methods.
const root: any = proto;
const HistoryEvent: Type = root.lookupType('temporal.api.history.v1.HistoryEvent');

let serial = 0;
const numbered = (): Payload => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(String((serial += 1))),
});
const variants = await Promise.all(
  eventTypes.map(async (type) => {
    const all = Array.from({ length: VARIANTS }, (_, variant) =>
      fullEvent(type, 9, variant, async () => numbered()),
    );
    return [type[0], (await Promise.all(all)).map(({ event }) => event)] as const;
  }),
);

type Payload = temporal.api.common.v1.IPayload;
type Place = 'header' | 'elsewhere';
type Walk<T> = (message: T, env: WalkEnv<Place>, context: Place) => Promise<unknown>[];

/** Returns the payloads that `@temporalio/proto`'s generated visitor, which uses no reflection, finds in a message. */
async function visited<T>(walk: Walk<T>, message: T): Promise<Map<Payload, Place>> {
  const seen = new Map<Payload, Place>();
  const pending = walk(
    message,
    {
      skipHeaders: false,
      skipSearchAttributes: true,
      deriveContext: (_, typeName, place) =>
        typeName === 'temporal.api.common.v1.Header' ? 'header' : place,
      transformPayload: async (payload, place) => {
        seen.set(payload, place);
        return payload;
      },
      transformPayloads: async (payloads, place) => {
        for (const payload of payloads) seen.set(payload, place);
        return payloads;
      },
    },
    'elsewhere',
  );
  await Promise.all(pending);
  return seen;
}

const lifetime = { checkpoint: async () => undefined };
const own = { type: 'workflow', namespace: 'default', workflowId: 'w' } as const;

const plain = (payload: Payload) => ({
  format: 'plain' as const,
  encoding: 'json/plain',
  bytes: payload.data?.length ?? 0,
  reason: 'not_encrypted' as const,
});

it('covers the 60 event types of the protos', () => {
  expect(eventTypes).toHaveLength(60);
});

const pathsOf = (event: ProtoEvent) => eventPayloads(event, own).map(({ path }) => path);

describe.each(variants)('%s', (_, events) => {
  it('contains exactly the payloads that the generated visitor finds, and all are encryptable except those in headers', async () => {
    const walk = visitor.walkGetWorkflowExecutionHistoryResponse<Place>;
    for (const event of events) {
      const found = eventPayloads(event, own);
      const expected = await visited(walk, { history: { events: [event] } });
      expect(found.filter(({ payload }) => !expected.has(payload))).toEqual([]);
      expect(found).toHaveLength(expected.size);
      expect(new Set(found.map(({ path }) => path)).size).toBe(found.length);
      for (const { payload, encryptable, path } of found)
        expect(encryptable, path).toBe(expected.get(payload) === 'elsewhere');
    }
  });

  it('numbers stubs, placeholders and payloads in the same way, and has no payload bytes in its JSON', async () => {
    for (const event of events) {
      const written = await historyEvent(event, own, plain, lifetime);
      const found = eventPayloads(event, own);
      expect(written.payloads.map(({ ref }) => ref)).toEqual(found.map((__, n) => `9:${n}`));
      expect(written.payloads.map(({ path }) => path)).toEqual(found.map(({ path }) => path));
      const text = JSON.stringify(written);
      for (const { ref } of written.payloads) expect(text.split(`{"$payload":"${ref}"}`)).toHaveLength(2);
      for (const { payload } of found)
        expect(text).not.toContain(`"${Buffer.from(payload.data!).toString('base64')}"`);
    }
  });

  it('lists its payloads in the same order, whatever the order of map entries', () => {
    for (const event of events) expect(pathsOf(reverseMaps(event))).toEqual(pathsOf(event));
  });
});

describe('findPayloads', () => {
  it.each([
    ['DescribeWorkflowExecutionResponse', visitor.walkDescribeWorkflowExecutionResponse<Place>],
    ['ListWorkflowExecutionsResponse', visitor.walkListWorkflowExecutionsResponse<Place>],
  ] as [string, Walk<any>][])(
    'finds exactly the payloads of %s that the generated visitor finds',
    async (name, walk) => {
      const typeName = `temporal.api.workflowservice.v1.${name}`;
      const type: Type = root.lookupType(typeName);
      const message = type.decode(type.encode(type.fromObject(filled(type, numbered))).finish());
      const found = findPayloads(typeName, message);
      const expected = await visited(walk, message);
      expect(found.length).toBeGreaterThan(1);
      expect(found.filter(({ payload }) => !expected.has(payload))).toEqual([]);
      expect(found).toHaveLength(expected.size);
    },
  );
});

function reverseMaps(value: any): any {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || 'low' in value)
    return value;
  if (Array.isArray(value)) return value.map(reverseMaps);
  const entries = Object.entries(value).map(([key, item]) => [key, reverseMaps(item)] as const);
  return Object.fromEntries(entries.toReversed());
}

const write = (event: Record<string, unknown>) =>
  writeMessage('temporal.api.history.v1.HistoryEvent', HistoryEvent.fromObject(event), () => 'payload');

describe('proto3 JSON', () => {
  it('writes 64-bit integers as strings, enums by name, and timestamps and durations as text', () => {
    const json = write({
      eventId: '9007199254740993',
      eventTime: { seconds: 1_763_990_531, nanos: 120_000_000 },
      workflowExecutionStartedEventAttributes: {
        initiator: 2,
        attempt: 1,
        workflowRunTimeout: { seconds: 1, nanos: 500_000_000 },
        workflowTaskTimeout: { seconds: 10 },
        retryPolicy: { backoffCoefficient: 2 },
        priority: { fairnessWeight: Number.NaN },
      },
    });
    expect(json).toEqual({
      eventId: '9007199254740993',
      eventTime: '2025-11-24T13:22:11.120Z',
      workflowExecutionStartedEventAttributes: {
        initiator: 'CONTINUE_AS_NEW_INITIATOR_RETRY',
        attempt: 1,
        workflowRunTimeout: '1.500s',
        workflowTaskTimeout: '10s',
        retryPolicy: { backoffCoefficient: 2 },
        priority: { fairnessWeight: 'NaN' },
      },
    });
  });

  it('writes an enum value unknown to the protos as a number', async () => {
    expect(write({ eventType: 61 })['eventType']).toBe(61);
    const newer: any = HistoryEvent.fromObject({ eventId: 1, eventType: 61 });
    expect((await historyEvent(newer, own, plain, lifetime)).eventName).toBe('Unknown(61)');
  });

  it('writes search attributes as their values, or as payloads if they are not JSON', () => {
    const json = write({
      upsertWorkflowSearchAttributesEventAttributes: {
        searchAttributes: {
          indexedFields: {
            Tags: { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('["a","b"]') },
            Broken: { data: Buffer.from([0xff]) },
          },
        },
      },
    });
    expect(json['upsertWorkflowSearchAttributesEventAttributes']).toEqual({
      searchAttributes: { indexedFields: { Broken: { data: '/w==' }, Tags: ['a', 'b'] } },
    });
  });

  it('quotes a map key in the path unless it is an identifier', () => {
    const payload = { data: Buffer.from('1') };
    const event = HistoryEvent.fromObject({
      markerRecordedEventAttributes: {
        details: { 'patch-data': { payloads: [payload] }, data: { payloads: [payload] } },
      },
    });
    expect(findPayloads('temporal.api.history.v1.HistoryEvent', event).map(({ path }) => path)).toEqual([
      'markerRecordedEventAttributes.details.data.payloads[0]',
      'markerRecordedEventAttributes.details["patch-data"].payloads[0]',
    ]);
  });
});

const marker = (markerName: string, ...keys: string[]): any =>
  HistoryEvent.fromObject({
    eventId: 5,
    eventType: 25,
    markerRecordedEventAttributes: {
      markerName,
      details: Object.fromEntries(keys.map((key) => [key, { payloads: [{ data: Buffer.from('1') }] }])),
    },
  });

describe('a marker field’s payload', () => {
  it.each([
    ['core_patch', 'patch-data', false],
    ['core_local_activity', 'data', false],
    ['core_local_activity', 'result', true],
    ['SideEffect', 'data', true],
  ])('of the marker %s, in its field %s, has `encryptable` set to %s', async (name, key, encryptable) => {
    const [found] = eventPayloads(marker(name, key), own);
    expect(found?.encryptable).toBe(encryptable);
    expect((await historyEvent(marker(name, key), own, plain, lifetime)).payloads[0]?.reason).toBe(
      encryptable ? 'not_encrypted' : undefined,
    );
  });
});

describe("an envelope of Temporal's own Nexus endpoint", () => {
  const envelope = { metadata: { __temporal_system_payload: Buffer.from('true') }, data: Buffer.from('{}') };
  it.each([
    [
      'is reported as an envelope if it is in a Nexus operation',
      { nexusOperationScheduledEventAttributes: { endpoint: '__temporal_system', input: envelope } },
      'system_envelope',
    ],
    [
      'is reported as not encrypted if it is anywhere else',
      { workflowExecutionSignaledEventAttributes: { input: { payloads: [envelope] } } },
      'not_encrypted',
    ],
  ])('%s', async (_, attributes, reason) => {
    const event: any = HistoryEvent.fromObject({ eventId: 5, eventType: 53, ...attributes });
    expect((await historyEvent(event, own, plain, lifetime)).payloads.map((stub) => stub.reason)).toEqual([
      reason,
    ]);
  });
});
