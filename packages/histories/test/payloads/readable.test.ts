import { describe, expect, it } from 'vitest';
import type { Payload } from '../../src/payloads/payload.ts';
import { bodyOf, readableText } from '../../src/payloads/readable.ts';

const text = (value: string): Uint8Array => Buffer.from(value);
const body = (data: string | Uint8Array, encoding = 'json/plain'): Payload => ({
  metadata: { encoding: text(encoding) },
  data: typeof data === 'string' ? text(data) : data,
});
const plain = (value: unknown): Payload => body(JSON.stringify(value));
const readableJson = (payload: Payload) => readableText(bodyOf(payload));

describe('readableText', () => {
  it('returns JSON unchanged, including numbers beyond the precision of a double', () => {
    expect(readableJson(body('{"id": 9007199254740993, "a":1.0}'))).toBe('{"id": 9007199254740993, "a":1.0}');
  });

  it.each(['$unreadable', '$value', '$text', '$bytes'])('wraps an object that has the key %s', (key) => {
    const own = { [key]: { reason: 'key_destroyed' } };
    expect(JSON.parse(readableJson(plain(own)))).toEqual({ $value: own });
  });

  it('distinguishes null, text and bytes', () => {
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

  it('returns bytes instead of text if the text is mostly control characters, because the JSON would be six times as long', () => {
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

  it('returns invalid JSON as text, so the document stays valid', () => {
    expect(JSON.parse(readableJson(body('{"open": ')))).toEqual({
      $text: '{"open": ',
      encoding: 'json/plain',
    });
    expect(JSON.parse(readableJson(body('1,2')))).toEqual({ $text: '1,2', encoding: 'json/plain' });
  });
});
