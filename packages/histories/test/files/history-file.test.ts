import * as fc from 'fast-check';
import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import { HistoryFileError, MAX_FILE_BYTES, readHistoryFile } from '../../src/files/index.ts';
import { protoEvent } from '../../src/proto/event.ts';

const { History } = proto.temporal.api.history.v1;

const utf8 = (text: string) => new TextEncoder().encode(text);
const read = (value: unknown, space?: number) => readHistoryFile(utf8(JSON.stringify(value, null, space)));
const base64 = (text: string) => Buffer.from(text).toString('base64');

const started = {
  eventId: '1',
  eventTime: '2026-11-24T13:02:11.123456789Z',
  eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED',
  taskId: '1048576',
  workflowExecutionStartedEventAttributes: {
    workflowType: { name: 'Charge' },
    workflowId: 'charge-1',
    originalExecutionRunId: 'a6a2ff8b-8b3a-4a1f-9f5e-2d6f0a7d0c11',
    workflowRunTimeout: '1.500s',
    input: { payloads: [{ metadata: { encoding: base64('json/plain') }, data: base64('{"amount":1}') }] },
  },
};
const timer = (eventId: number) => ({
  eventId: String(eventId),
  eventTime: '2026-11-24T13:02:12Z',
  eventType: 'EVENT_TYPE_TIMER_STARTED',
  taskId: '1048577',
  timerStartedEventAttributes: { timerId: String(eventId), startToFireTimeout: '3s' },
});
const events = [started, timer(2), timer(3)];

/** Encodes a message as a field in protobuf. */
function field(number: number, bytes: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest > 0x7f; rest >>= 7) length.push((rest & 0x7f) | 0x80);
  return Uint8Array.from([number * 8 + 2, ...length, rest, ...bytes]);
}

/** Returns a `temporal.api.export.v1.WorkflowExecutions` message with the histories. */
const cloudExport = (histories: readonly (readonly object[])[]): Uint8Array =>
  Buffer.concat(
    histories.map((list) => {
      const history = { events: list.map((event) => protoEvent(JSON.stringify(event), 'json')) };
      return field(1, field(1, History.encode(History.fromObject(history)).finish()));
    }),
  );

const eventsOf = (bytes: Uint8Array, run = 0) => {
  const workflow = readHistoryFile(bytes).workflows[run]!;
  return Array.from({ length: workflow.length }, (_, index) =>
    protoEvent(workflow.event(index + 1), workflow.encoding),
  );
};

/** Returns an event in protobuf as hexadecimal digits, whatever the representation of its 64-bit integers. */
const canonical = (event: object) => {
  const { HistoryEvent } = proto.temporal.api.history.v1;
  return Buffer.from(HistoryEvent.encode(HistoryEvent.fromObject(event)).finish()).toString('hex');
};

function problemOf(bytes: Uint8Array): string {
  try {
    readHistoryFile(bytes);
  } catch (error) {
    if (error instanceof HistoryFileError) return error.code;
    throw error;
  }
  return 'none';
}

describe('readHistoryFile', () => {
  const forms: [string, Uint8Array][] = [
    ['an object with events', utf8(JSON.stringify({ events }))],
    ['an indented object with events', utf8(JSON.stringify({ events }, null, 2))],
    ['an object with events after a byte order mark', utf8(`\ufeff${JSON.stringify({ events })}`)],
    ['an object with events after an empty line', utf8(`\n${JSON.stringify({ events })}`)],
    ['a history around the events', utf8(JSON.stringify({ history: { events } }))],
    ['an exported workflow in JSON', utf8(JSON.stringify({ items: [{ history: { events } }] }))],
    ['a list of events', utf8(JSON.stringify(events))],
    ['an event per line', utf8(`${events.map((event) => JSON.stringify(event)).join('\n')}\n`)],
    ['an export from Temporal Cloud', cloudExport([events])],
  ];

  it.each(forms)('reads %s', (_, bytes) => {
    const { workflows } = readHistoryFile(bytes);
    expect(workflows).toMatchObject([
      {
        workflowId: 'charge-1',
        runId: 'a6a2ff8b-8b3a-4a1f-9f5e-2d6f0a7d0c11',
        type: 'Charge',
        startedAt: Date.parse('2026-11-24T13:02:11.123Z'),
        length: 3,
      },
    ]);
    const expected = events.map((event) => canonical(protoEvent(JSON.stringify(event), 'json')));
    expect(eventsOf(bytes).map(canonical)).toEqual(expected);
  });

  it('reads a Temporal Cloud export of several workflows, and leaves out workflows without events', () => {
    const other = structuredClone(started);
    other.workflowExecutionStartedEventAttributes.workflowId = 'charge-2';
    const bytes = cloudExport([events, [], [other]]);
    expect(readHistoryFile(bytes).workflows.map(({ workflowId, length }) => [workflowId, length])).toEqual([
      ['charge-1', 3],
      ['charge-2', 1],
    ]);
    expect(eventsOf(bytes, 1).map(canonical)).toEqual([canonical(protoEvent(JSON.stringify(other), 'json'))]);
  });

  it('takes a run’s ids from a readable export', () => {
    const file = read({ namespace: 'payments', workflowId: 'w', runId: 'r', events, summary: {} });
    expect(file.workflows[0]).toMatchObject({ encoding: 'readable', workflowId: 'w', runId: 'r' });
  });

  it('keeps each event’s text, including the digits of its numbers', () => {
    const event = JSON.stringify(started).replace('"Charge"', '"Charge","x":12345678901234567890.10');
    const file = readHistoryFile(utf8(`{"events":[ ${event} ]}`));
    expect(file.workflows[0].event(1)).toBe(event);
  });

  it('accepts a workflow from an older server, which does not write all ids', () => {
    const { workflowExecutionStartedEventAttributes: _, ...bare } = started;
    expect(read({ events: [bare] }).workflows[0]).toMatchObject({ workflowId: undefined, type: undefined });
  });
});

describe('readHistoryFile with an unreadable file', () => {
  const cut = JSON.stringify({ events });
  const cases: [string, string, Uint8Array][] = [
    ['empty', 'empty', new Uint8Array()],
    ['gzip', 'compressed', Uint8Array.from([0x1f, 0x8b, 8, 0])],
    ['a zip archive', 'compressed', Uint8Array.from([0x50, 0x4b, 3, 4])],
    ['an image', 'not_a_history', Uint8Array.from([0x89, 0x50, 0x4e, 0x47])],
    ['text', 'not_a_history', utf8('hello')],
    ['another JSON', 'not_a_history', utf8('{"name":"x","events":"none"}')],
    ['JSON with a mistake', 'not_a_history', utf8('{"events":[{"eventId":"1"}};')],
    ['an id with a mistake', 'not_a_history', utf8('{"workflowId":"\\q","events":[{"eventId":"1"}]}')],
    ['an empty history', 'not_a_history', utf8('{"events":[]}')],
    ['JSON that is nested too deeply', 'not_a_history', utf8('['.repeat(100_000))],
    ['cut off', 'cut_off', utf8(cut.slice(0, -10))],
    [
      'an export that ended early',
      'cut_off',
      utf8(`{"events":[\n${JSON.stringify(started)}\n{"$truncated":{"reason":"limit","after":1}}\n`),
    ],
    ['an event that is not JSON', 'malformed', utf8('{"events":[{"eventId":"1",x}]}')],
    ['an event that is not an object', 'malformed', utf8('{"events":["1"]}')],
    ['an event without an id', 'malformed', utf8('{"events":[{}]}')],
    ['an id that is an object', 'malformed', utf8('{"events":[{"eventId":{"toString":1,"valueOf":1}}]}')],
    ['a missing event', 'gap', utf8(JSON.stringify({ events: [started, timer(3)] }))],
    ['a repeated event', 'gap', utf8(JSON.stringify({ events: [started, started] }))],
    ['a history that starts later', 'gap', utf8(JSON.stringify({ events: [timer(2)] }))],
    ['protobuf that is cut off', 'cut_off', cloudExport([events, events]).subarray(0, -5)],
    ['protobuf with a missing event', 'gap', cloudExport([[started, timer(3)]])],
    // If a field occurs twice, the last value counts, as in every protobuf parser.
    ['protobuf with two ids in an event', 'gap', field(1, field(1, field(1, Uint8Array.of(8, 1, 8, 5))))],
  ];

  it.each(cases)('throws an error with a code: %s', (_, code, bytes) => {
    expect(problemOf(bytes)).toBe(code);
  });

  it('does not read a file that is too large', () => {
    const bytes = new Proxy(new Uint8Array(), {
      get: (_, name) => (name === 'length' ? MAX_FILE_BYTES + 1 : expect.fail(`${String(name)} was read`)),
    });
    expect(problemOf(bytes)).toBe('too_large');
  });

  it('throws only HistoryFileError, wherever the file is truncated and whichever byte is changed', () => {
    const files = [utf8(cut), cloudExport([events])];
    fc.assert(
      fc.property(fc.constantFrom(...files), fc.nat(), fc.nat(255), fc.boolean(), (file, at, byte, isCut) => {
        const bytes = Uint8Array.from(file);
        bytes[at % bytes.length] = byte;
        const changed = isCut ? file.subarray(0, at % file.length) : bytes;
        // A changed byte may be harmless. If reading fails, the error must have a code.
        expect(typeof problemOf(changed)).toBe('string');
      }),
      { numRuns: 2_000 },
    );
  });

  it('throws errors whose messages contain no content of the file', () => {
    const secret = 'canary-5eaf00d';
    for (const text of [`{"events":["${secret}"]}`, `{"${secret}"`, secret, `[${secret}]`]) {
      try {
        readHistoryFile(utf8(text));
      } catch (error) {
        expect(String(error)).not.toContain(secret);
      }
    }
  });
});

describe('readHistoryFile with JSON', () => {
  it('accepts any white space and any strings around the events', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0, 1, 4),
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })),
        fc.string(),
        (space, around, id) => {
          const { events: _, history: __, items: ___, eventId: ____, event_id: _____, ...rest } = around;
          const event = { ...started, identity: id };
          const file = read({ ...rest, events: [event], after: rest }, space);
          expect(JSON.parse(file.workflows[0].event(1))).toEqual(JSON.parse(JSON.stringify(event)));
        },
      ),
    );
  });
});
