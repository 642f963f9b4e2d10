import { expect, test } from 'vitest';
import { readableText } from '../../src/history/readable.ts';
import { bodyOf } from '../../src/history/text-threads.ts';
import { type Payload, plain, text } from '../support/stack.ts';

const readableJson = (payload: Payload): string => readableText(bodyOf(payload));
const body = (data: string | Uint8Array, encoding = 'json/plain') => ({
  metadata: { encoding: text(encoding) },
  data: typeof data === 'string' ? text(data) : data,
});

test('JSON stands as it was written, with numbers that no double holds', () => {
  expect(readableJson(body('{"id": 9007199254740993, "a":1.0}'))).toBe('{"id": 9007199254740993, "a":1.0}');
});

test.each(['$unreadable', '$value', '$text', '$bytes'])(
  'an object with a key %s of its own passes for no mark',
  (key) => {
    const own = { [key]: { reason: 'key_destroyed' } };
    expect(JSON.parse(readableJson(plain(own)))).toEqual({ $value: own });
  },
);

test('null, text and bytes are told apart', () => {
  expect(readableJson({ metadata: { encoding: text('binary/null') } })).toBe('null');
  expect(JSON.parse(readableJson(body('abc', 'binary/plain')))).toEqual({
    $text: 'abc',
    encoding: 'binary/plain',
  });
  expect(JSON.parse(readableJson(body(Buffer.from([0xff]), 'binary/plain')))).toEqual({
    $bytes: '/w==',
    encoding: 'binary/plain',
  });
  expect(JSON.parse(readableJson(body('ab', 'binary/protobuf')))).toEqual({
    $bytes: 'YWI=',
    encoding: 'binary/protobuf',
  });
});

test('text that is mostly control characters is bytes: JSON would take six times as much', () => {
  const controls = Buffer.alloc(100, 1);
  expect(JSON.parse(readableJson(body(controls, 'binary/plain')))).toEqual({
    $bytes: controls.toString('base64'),
    encoding: 'binary/plain',
  });
  const coloured = '\u001b[31mred\u001b[0m and much else';
  expect(JSON.parse(readableJson(body(coloured, 'binary/plain')))).toEqual({
    $text: coloured,
    encoding: 'binary/plain',
  });
});

test('what says that it is JSON and is not is text, and breaks no document', () => {
  expect(JSON.parse(readableJson(body('{"open": ')))).toEqual({ $text: '{"open": ', encoding: 'json/plain' });
  expect(JSON.parse(readableJson(body('1,2')))).toEqual({ $text: '1,2', encoding: 'json/plain' });
});
