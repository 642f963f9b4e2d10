import { stringify } from 'lossless-json';
import { describe, expect, test } from 'vitest';
import { jsonRows, rowTokens } from '../../../src/payloads/value/json-tree.ts';
import { mediaOf } from '../../../src/payloads/value/media-type.ts';
import { MAX_PARSED } from '../../../src/payloads/value/payload-value.ts';
import { protobufValue } from '../../../src/payloads/value/protobuf-value.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const concat = (...parts: readonly (Uint8Array | readonly number[])[]) =>
  Uint8Array.from(parts.flatMap((part) => [...part]));
/** Returns a message of `length` bytes (at least 16 kB) whose only field contains text. */
function single(length: number): Uint8Array {
  const size = length - 4;
  const message = new Uint8Array(length).fill(0x67);
  message.set([0x0a, (size & 0x7f) | 0x80, ((size >> 7) & 0x7f) | 0x80, size >> 14]);
  return message;
}
/** Returns a message of `length` bytes that repeats field 5. */
const repeated = (length: number) => Uint8Array.from({ length }, (_, index) => (index % 2 ? 1 : 0x28));

describe('a protobuf message without its descriptor', () => {
  test('shows fields by number: numbers with every digit, text, messages, bytes and repetitions', () => {
    const inner = concat([0x0a, 2], bytes('DE'));
    const message = concat(
      // 1: 2^64 - 1 as a varint
      [0x08, ...Array.from({ length: 9 }, () => 0xff), 0x01],
      [0x12, 5],
      bytes('Maren'),
      [0x1a, inner.length],
      inner,
      [0x22, 3, 0, 0xff, 7],
      [0x28, 1, 0x28, 2],
      // 6: the double 1.5; 7: the float 2.5
      [0x31, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f],
      [0x3d, 0, 0, 0x20, 0x40],
    );
    expect(stringify(protobufValue(message))).toBe(
      '{"1":18446744073709551615,"2":"Maren","3":{"1":"DE"},"4":{"$hex":"00 ff 07"},"5":[1,2],' +
        '"6":{"$fixed64":4609434218613702656,"double":1.5},"7":{"$fixed32":1075838976,"float":2.5}}',
    );
  });

  test('is not read from bytes that are not a message', () => {
    expect(protobufValue(bytes('%PDF-1.7'))).toBeUndefined();
    expect(protobufValue(Uint8Array.of(0x0a, 200, 1))).toBeUndefined();
    expect(protobufValue(Uint8Array.of(0x00, 1))).toBeUndefined();
  });

  test('is read in time proportional to its length, even if one field is repeated throughout', () => {
    const start = performance.now();
    const value = protobufValue(repeated(400_000));
    expect(value?.['5']).toHaveLength(200_000);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test('is shown as bytes if it is longer than 2 MB, because its fields would need many times as much memory', () => {
    expect(protobufValue(single(MAX_PARSED))).toBeDefined();
    expect(protobufValue(single(MAX_PARSED + 1))).toBeUndefined();
  });

  test('shows numbers that JSON cannot represent, and text with every line break', () => {
    const message = concat(
      [0x0a, 6],
      bytes('a\r\nb\fc'),
      // 2: -0 as a double; 3: NaN and 4: -Infinity as floats
      [0x11, 0, 0, 0, 0, 0, 0, 0, 0x80],
      [0x1d, 0, 0, 0xc0, 0x7f],
      [0x25, 0, 0, 0x80, 0xff],
    );
    const shown = jsonRows(protobufValue(message)).map((row) =>
      rowTokens(row)
        .map(({ text }) => text)
        .join(''),
    );
    expect(shown).toContain('  "1": "a\\r\\nb\\fc",');
    expect(shown).toContain('    double: -0');
    expect(shown).toContain('  "3": { $fixed32: 2143289344, float: NaN },');
    expect(shown).toContain('    float: -Infinity');
  });

  test('is shown as bytes if it is nested too deeply', () => {
    let nested: Uint8Array = Uint8Array.of(0x08, 1);
    for (let level = 0; level < 60; level += 1) nested = concat([0x0a, nested.length], nested);
    expect(stringify(protobufValue(nested))).toContain('"$hex"');
  });
});

test('recognises a picture and a PDF by their first bytes, but no file that can contain scripts', () => {
  expect(mediaOf(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a))?.name).toBe('PNG');
  expect(mediaOf(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0))?.type).toBe('image/jpeg');
  expect(mediaOf(bytes('RIFF0000WEBPVP8 '))?.extension).toBe('webp');
  expect(mediaOf(bytes('%PDF-1.7'))).toMatchObject({ kind: 'document', extension: 'pdf' });
  expect(mediaOf(bytes('<svg xmlns="http://www.w3.org/2000/svg">'))).toBeUndefined();
  expect(mediaOf(bytes('<html>'))).toBeUndefined();
});
