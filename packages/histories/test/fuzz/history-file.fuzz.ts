import assert from 'node:assert/strict';
import proto from '@temporalio/proto';
import { type HistoryFile, HistoryFileError, readHistoryFile } from '../../src/files/index.ts';
import { protoEvent } from '../../src/proto/event.ts';

/*
 * The input is the bytes of a history file. A file, and each of its events, is either rejected with a code or
 * read. If the file is read, a file with only its events contains the same events, and each message stays the
 * same when it is encoded and decoded as protobuf.
 */

export const reaches = [
  'json',
  'readable',
  'protobuf',
  'event malformed',
  'compressed',
  'cut_off',
  'gap',
  'malformed',
  'not_a_history',
];

export function fuzz(data: Uint8Array): string {
  try {
    return outcomeOf(readHistoryFile(data));
  } catch (error) {
    if (error instanceof HistoryFileError) return error.code;
    throw error;
  }
}

const { HistoryEvent } = proto.temporal.api.history.v1;

function outcomeOf({ workflows }: HistoryFile): string {
  for (const { encoding, length, event } of workflows) {
    const events = Array.from({ length }, (_, index) => event(index + 1));
    assert(length > 0);
    if (encoding !== 'protobuf') {
      const again = readHistoryFile(Buffer.from(`{"events":[${events.join(',')}]}`)).workflows;
      assert.equal(again.length, 1);
      assert.deepEqual(
        events.map((_, index) => again[0].event(index + 1)),
        events,
      );
    }
    for (const [index, text] of events.entries()) {
      try {
        const message = HistoryEvent.fromObject(protoEvent(text, encoding));
        assert.equal(Number(message.eventId), index + 1);
        const bytes = HistoryEvent.encode(message).finish();
        assert.deepEqual(HistoryEvent.encode(HistoryEvent.decode(bytes)).finish(), bytes);
      } catch (error) {
        if (error instanceof HistoryFileError) return `event ${error.code}`;
        throw error;
      }
    }
  }
  return workflows[0].encoding;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const events = [
  {
    eventId: '1',
    eventTime: '2026-11-24T13:02:11.123456789Z',
    eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED',
    workflowExecutionStartedEventAttributes: {
      workflowType: { name: 'Charge' },
      workflowId: 'charge-1',
      originalExecutionRunId: 'a6a2ff8b',
      workflowRunTimeout: '1.500s',
      attempt: 1,
      input: { payloads: [{ metadata: { encoding: base64('json/plain') }, data: base64('{"a":1}') }] },
      memo: { fields: { note: { metadata: { encoding: 'json/plain' }, data: 'text' } } },
      header: { fields: {} },
      failure: { message: 'failed', cause: { message: 'why' } },
    },
  },
  { event_id: 2, event_type: 'TimerFired', timer_fired_event_attributes: { timer_id: '2' } },
];

/** Encodes a message as field 1. */
const field = (bytes: Uint8Array) => Buffer.concat([Buffer.of(0x0a, bytes.length), bytes]);

export function seeds(): Uint8Array[] {
  const [first] = events;
  const readable = { namespace: 'payments', workflowId: 'w', runId: 'r', events, summary: {} };
  const forms = [
    { events },
    { history: { events } },
    { items: [{ history: { events } }, { history: { events: [first] } }] },
    events,
    readable,
    { events: [{ eventId: '1' }, { eventId: '3' }] },
  ];
  const event = HistoryEvent.fromObject({
    eventId: 1,
    eventTime: { seconds: 1_800_000_000, nanos: 5 },
    workflowExecutionStartedEventAttributes: { workflowType: { name: 'Charge' }, workflowId: 'charge-1' },
  });
  return [
    ...forms.map((form) => Buffer.from(JSON.stringify(form))),
    Buffer.from(events.map((each) => JSON.stringify(each)).join('\n')),
    Buffer.from('{"workflowId":"\\q","events":[{"eventId":"1"}]}'),
    Buffer.from(`{"events":[\n${JSON.stringify(first)}\n{"$truncated":{"reason":"limit","after":1}}\n`),
    field(field(field(HistoryEvent.encode(event).finish()))),
    Buffer.of(0x1f, 0x8b),
  ];
}
