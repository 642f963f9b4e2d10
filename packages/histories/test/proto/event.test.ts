import { describe, expect, it } from 'vitest';
import { HistoryFileError } from '../../src/files/index.ts';
import { protoEvent } from '../../src/proto/event.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Returns the payloads of an event's input, with strings in place of bytes. */
function inputOf(input: unknown, encoding: 'json' | 'readable' = 'json') {
  const json = typeof input === 'string' ? input : JSON.stringify(input);
  const event = protoEvent(
    `{"eventId":"1","workflowExecutionStartedEventAttributes":{"input":${json}}}`,
    encoding,
  );
  const { payloads } = event.workflowExecutionStartedEventAttributes!.input!;
  return payloads!.map(({ metadata, data }) => ({
    ...Object.fromEntries(Object.entries(metadata ?? {}).map(([key, value]) => [key, String(value)])),
    ...(data ? { data: Buffer.from(data).toString() } : {}),
  }));
}

describe('protoEvent', () => {
  it('accepts enum values by name, in camel case, and by number', () => {
    for (const eventType of ['EVENT_TYPE_TIMER_FIRED', 'TimerFired', 18])
      expect(protoEvent(JSON.stringify({ eventId: '1', eventType }), 'json').eventType).toBe(18);
  });

  it('accepts field names in camel case and as in the proto file', () => {
    const event = protoEvent('{"event_id":5,"timer_fired_event_attributes":{"timer_id":"a"}}', 'json');
    expect(event).toMatchObject({ eventId: '5', timerFiredEventAttributes: { timerId: 'a' } });
  });

  it('accepts times with nanoseconds and durations with a sign', () => {
    const event = protoEvent(
      '{"eventTime":"2026-11-24T13:02:11.000000001Z","timerStartedEventAttributes":{"startToFireTimeout":"-1.5s"}}',
      'json',
    );
    expect(event.eventTime).toEqual({ seconds: String(Date.UTC(2026, 10, 24, 13, 2, 11) / 1_000), nanos: 1 });
    expect(event.timerStartedEventAttributes!.startToFireTimeout).toEqual({
      seconds: '-1',
      nanos: -500_000_000,
    });
  });

  it('keeps all digits of 64-bit integers, and drops unknown fields', () => {
    const event = protoEvent(
      '{"eventId":"9007199254740993","version":9223372036854775807,"newer":{}}',
      'json',
    );
    expect(event).toEqual({ eventId: '9007199254740993', version: '9223372036854775807' });
  });

  it.each([
    '{"eventId":"x"}',
    '{"eventTime":"yesterday"}',
    '{"timerStartedEventAttributes":[]}',
    '{"timerStartedEventAttributes":{"timerId":5}}',
    '{"links":{}}',
    '[1]',
    '{',
    `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
    '{"eventId":"1","event_id":"2"}',
    '{"timerStartedEventAttributes":{},"timerFiredEventAttributes":{}}',
  ])('rejects %.60s as malformed', (text) => {
    expect(() => protoEvent(text, 'json')).toThrow(HistoryFileError);
  });

  it('rejects bytes that are not protobuf as malformed', () => {
    expect(() => protoEvent(base64('\u0007\u0007nonsense'), 'protobuf')).toThrow(HistoryFileError);
  });
});

describe("protoEvent with an event's payloads", () => {
  const plain = { encoding: 'json/plain', data: '{"a":1}' };

  it.each<[string, unknown]>([
    [
      'proto3 JSON',
      { payloads: [{ metadata: { encoding: base64('json/plain') }, data: base64('{"a":1}') }] },
    ],
    [
      'the readable form of the Web UI',
      { payloads: [{ metadata: { encoding: 'json/plain' }, data: { a: 1 } }] },
    ],
    ['a value, as in the shorthand of the Go libraries', [{ a: 1 }]],
    ['a value in an object', { payloads: [{ a: 1 }] }],
  ])('reads %s', (_, input) => {
    expect(inputOf(input)).toEqual([plain]);
  });

  it('reads payloads that contain null, a protobuf message or bytes', () => {
    expect(inputOf([null])).toEqual([{ encoding: 'binary/null' }]);
    expect(inputOf([{ metadata: { encoding: 'binary/null' }, data: null }])).toEqual([
      { encoding: 'binary/null' },
    ]);
    expect(inputOf([{ _protoMessageType: 'a.B', x: 1 }])).toEqual([
      { encoding: 'json/protobuf', messageType: 'a.B', data: '{"x":1}' },
    ]);
    // `binary/plain` and `abcd` consist only of base64 characters, but here they are plain text.
    expect(inputOf([{ metadata: { encoding: 'binary/plain' }, data: 'abcd' }])).toEqual([
      { encoding: 'binary/plain', data: '"abcd"' },
    ]);
    expect(inputOf([{ metadata: { encoding: base64('binary/plain') }, data: base64('abcd') }])).toEqual([
      { encoding: 'binary/plain', data: 'abcd' },
    ]);
  });

  it.each([16_380, 16_384, 16_388, 40_000])(
    'reads %d characters of data as base64 if they are base64, and otherwise as text',
    (length) => {
      const metadata = { encoding: base64('binary/x') };
      const data = 'abcd'.repeat(length / 4);
      const dataOf = (text: string) => inputOf([{ metadata, data: text }])[0]?.data;
      for (const text of [data, `-_+/${data}`, `${data.slice(2)}==`, `${data.slice(1)}=`])
        expect(dataOf(text)).toBe(Buffer.from(text, 'base64').toString());
      for (const at of [0, 8_000, length - 1]) {
        for (const wrong of ['=', ' ', '\u00e9', '"']) {
          const text = `${data.slice(0, at)}${wrong}${data.slice(at + 1)}`;
          if (text.endsWith('=')) continue;
          expect(dataOf(text)).toBe(JSON.stringify(text));
        }
      }
    },
  );

  it('reads an object as a JSON value, even if the object has a payload’s field names', () => {
    const value = { metadata: { encoding: 7 }, data: 'x', more: true };
    expect(inputOf([value])).toEqual([{ encoding: 'json/plain', data: JSON.stringify(value) }]);
  });

  it('keeps all digits of numbers', () => {
    expect(inputOf('[{"n":12345678901234567890.10,"e":1e400,"z":0.1}]')).toEqual([
      { encoding: 'json/plain', data: '{"n":12345678901234567890.10,"e":1e400,"z":0.1}' },
    ]);
  });
});

describe('protoEvent with a readable export', () => {
  it('reads a payload as its value, whatever field names the value has', () => {
    const value = { metadata: { encoding: base64('json/plain') }, data: base64('1') };
    expect(inputOf([value, 'text', 5], 'readable')).toEqual([
      { encoding: 'json/plain', data: JSON.stringify(value) },
      { encoding: 'json/plain', data: '"text"' },
      { encoding: 'json/plain', data: '5' },
    ]);
  });

  it('reads payloads that are marked as text, bytes, a value, or unreadable', () => {
    const marked = [
      { $text: 'plain', encoding: 'binary/plain' },
      { $bytes: base64('raw'), encoding: 'binary/x' },
      { $value: { $text: 'not a mark' } },
      { $unreadable: { reason: 'key_destroyed', ref: '1:0', key: { name: 'k', version: 3 } } },
    ];
    expect(inputOf(marked, 'readable')).toEqual([
      { encoding: 'binary/plain', data: 'plain' },
      { encoding: 'binary/x', data: 'raw' },
      { encoding: 'json/plain', data: '{"$text":"not a mark"}' },
      { encoding: 'binary/unreadable', reason: 'key_destroyed', ref: '1:0', key: 'k', 'key-version': '3' },
    ]);
  });

  it('reads a search attribute as a payload in both encodings, because search attributes are not encrypted', () => {
    const payload = { metadata: { encoding: base64('json/plain') }, data: base64('"acme"') };
    const text = JSON.stringify({
      upsertWorkflowSearchAttributesEventAttributes: {
        searchAttributes: { indexedFields: { Customer: payload } },
      },
    });
    for (const encoding of ['json', 'readable'] as const) {
      const { searchAttributes } = protoEvent(text, encoding).upsertWorkflowSearchAttributesEventAttributes!;
      expect(String(searchAttributes!.indexedFields!['Customer']!.data)).toBe('"acme"');
    }
  });
});
