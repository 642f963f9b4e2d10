import proto, { type temporal } from '@temporalio/proto';
import visitor, { type WalkEnv } from '@temporalio/proto/lib/payload-visitor.generated.js';
import type { Field, MapField, Type } from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { eventPayloads, historyEvent, type ProtoEvent } from '../../src/history/event.ts';
import { findPayloads, writeMessage } from '../../src/history/message.ts';

// The generated types hide that the module is a protobufjs Root.
const root: any = proto;
const HistoryEvent: Type = root.lookupType('temporal.api.history.v1.HistoryEvent');
const eventTypes = Object.entries<string | number>(proto.temporal.api.enums.v1.EventType).filter(
  (entry): entry is [string, number] => typeof entry[1] === 'number' && entry[1] > 0,
);

let serial = 0;
/** A message with every field set: two items in a list, two keys in a map, failures with one cause each. */
function full(type: Type, depth: number): Record<string, unknown> {
  if (type.fullName === '.temporal.api.common.v1.Payload') {
    serial += 1;
    return { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(String(serial)) };
  }
  const message: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    const value = fieldValue(field.resolve(), depth);
    if (value !== undefined) message[field.name] = value;
  }
  return message;
}

function fieldValue(field: Field | MapField, depth: number): unknown {
  const one = (): unknown => {
    const resolved = field.resolvedType;
    if (resolved !== null && 'fieldsArray' in resolved)
      return depth > 0 ? full(resolved, depth - 1) : undefined;
    if (resolved !== null) return 1;
    if (field.type === 'bool') return true;
    if (field.type === 'string') return 'text';
    if (field.type === 'bytes') return Buffer.from('bytes');
    return 7;
  };
  const value = one();
  if (value === undefined) return undefined;
  if (field.map) return { b: value, a: one() };
  return field.repeated ? [value, one()] : value;
}

const attributesField = (name: string): string => {
  const words = name.replace('EVENT_TYPE_', '').toLowerCase().split('_');
  const camel = words
    .map((word, index) => (index === 0 ? word : word[0]!.toUpperCase() + word.slice(1)))
    .join('');
  return `${camel}EventAttributes`;
};

/** An event of one type with everything set, decoded from its bytes as the gRPC client would. */
function fullEvent(name: string, type: number): ProtoEvent {
  const message = full(HistoryEvent, 8);
  const mine = attributesField(name);
  for (const key of Object.keys(message)) {
    if (key.endsWith('EventAttributes') && key !== mine) delete message[key];
  }
  expect(message[mine], `attributes of ${name}`).toBeDefined();
  const bytes = HistoryEvent.encode(
    HistoryEvent.fromObject({ ...message, eventId: 9, eventType: type, taskId: 1 }),
  ).finish();
  return proto.temporal.api.history.v1.HistoryEvent.decode(bytes);
}

type Payload = temporal.api.common.v1.IPayload;
type Place = 'header' | 'elsewhere';
type Walk<T> = (message: T, env: WalkEnv<Place>, context: Place) => Promise<unknown>[];

/** What `@temporalio/proto`'s generated visitor, which knows nothing of reflection, finds in the same message. */
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

const own = { type: 'workflow', namespace: 'default', workflowId: 'w' } as const;

const plain = (payload: Payload) => ({
  format: 'plain' as const,
  encoding: 'json/plain',
  bytes: payload.data?.length ?? 0,
  reason: 'not_encrypted' as const,
});

test('knows the 60 event types of the protos', () => {
  expect(eventTypes).toHaveLength(60);
});

describe.each(eventTypes)('%s', (name, type) => {
  const event = fullEvent(name, type);

  test('has the payloads that the generated visitor finds, and no others', async () => {
    const found = eventPayloads(event, own);
    const expected = await visited(visitor.walkGetWorkflowExecutionHistoryResponse<Place>, {
      history: { events: [event] },
    });
    expect(found.filter(({ payload }) => !expected.has(payload))).toEqual([]);
    expect(found).toHaveLength(expected.size);
    expect(new Set(found.map(({ path }) => path)).size).toBe(found.length);
  });

  test('marks headers as never sealed, and nothing else', async () => {
    const expected = await visited(visitor.walkGetWorkflowExecutionHistoryResponse<Place>, {
      history: { events: [event] },
    });
    for (const { payload, encryptable, path } of eventPayloads(event, own)) {
      expect(encryptable, path).toBe(expected.get(payload) === 'elsewhere');
    }
  });

  test('numbers stubs, placeholders and payloads alike, and keeps no byte of a payload', () => {
    const row = historyEvent(event, own, plain);
    const found = eventPayloads(event, own);
    expect(row.payloads.map(({ ref }) => ref)).toEqual(found.map((_, n) => `9:${n}`));
    expect(row.payloads.map(({ path }) => path)).toEqual(found.map(({ path }) => path));
    const text = JSON.stringify(row);
    for (const { ref } of row.payloads) expect(text.split(`{"$payload":"${ref}"}`)).toHaveLength(2);
    for (const { payload } of found) {
      expect(text).not.toContain(`"${Buffer.from(payload.data!).toString('base64')}"`);
    }
  });

  test('gives the same order however the map entries came', () => {
    const other = reverseMaps(event);
    expect(eventPayloads(other, own).map(({ path }) => path)).toEqual(
      eventPayloads(event, own).map(({ path }) => path),
    );
  });
});

describe('beside events', () => {
  test.each([
    ['DescribeWorkflowExecutionResponse', visitor.walkDescribeWorkflowExecutionResponse<Place>],
    ['ListWorkflowExecutionsResponse', visitor.walkListWorkflowExecutionsResponse<Place>],
  ] as [string, Walk<any>][])('%s has the payloads that the generated visitor finds', async (name, walk) => {
    const typeName = `temporal.api.workflowservice.v1.${name}`;
    const type: Type = root.lookupType(typeName);
    const message = type.decode(type.encode(type.fromObject(full(type, 9))).finish());
    const found = findPayloads(typeName, message);
    const expected = await visited(walk, message);
    expect(found.length).toBeGreaterThan(1);
    expect(found.filter(({ payload }) => !expected.has(payload))).toEqual([]);
    expect(found).toHaveLength(expected.size);
  });
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
  test('writes 64-bit integers as strings, enums by name, times and durations as text', () => {
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

  test('writes an enum value that is newer than its protos as a number', () => {
    expect(write({ eventType: 61 })['eventType']).toBe(61);
    const newer: any = HistoryEvent.fromObject({ eventId: 1, eventType: 61 });
    expect(historyEvent(newer, own, plain).eventName).toBe('Unknown(61)');
  });

  test('writes search attributes as their values, and one that is no JSON as its payload', () => {
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

  test('quotes a map key that is no identifier in the path', () => {
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

describe("Core's own marker fields", () => {
  test.each([
    ['core_patch', 'patch-data', false],
    ['core_local_activity', 'data', false],
    ['core_local_activity', 'result', true],
    ['SideEffect', 'data', true],
  ])('in %s, %s is encryptable: %s', (name, key, encryptable) => {
    const [found] = eventPayloads(marker(name, key), own);
    expect(found?.encryptable).toBe(encryptable);
    expect(historyEvent(marker(name, key), own, plain).payloads[0]?.reason).toBe(
      encryptable ? 'not_encrypted' : undefined,
    );
  });
});

describe("an envelope of Temporal's own Nexus endpoint", () => {
  const envelope = { metadata: { __temporal_system_payload: Buffer.from('true') }, data: Buffer.from('{}') };
  test.each([
    [
      'is plain by design',
      { nexusOperationScheduledEventAttributes: { endpoint: '__temporal_system', input: envelope } },
      undefined,
    ],
    [
      'is taken for plaintext elsewhere, whatever its metadata says',
      { workflowExecutionSignaledEventAttributes: { input: { payloads: [envelope] } } },
      'not_encrypted',
    ],
  ])('%s', (_, attributes, reason) => {
    const event: any = HistoryEvent.fromObject({ eventId: 5, eventType: 53, ...attributes });
    expect(historyEvent(event, own, plain).payloads.map((stub) => stub.reason)).toEqual([reason]);
  });
});
