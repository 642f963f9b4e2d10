import { describe, expect, test } from 'vitest';
import { jsonRows, memberCount, rowTokens } from '../../../src/payloads/value/json-tree.ts';
import { parseJson } from '../../../src/payloads/value/payload-value.ts';
import { readableJson } from '../../../src/payloads/value/readable-json.ts';

const json = (value: unknown) => {
  const text = JSON.stringify(value);
  return { kind: 'json', text, value: parseJson(text) } as const;
};
const linesOf = (value: unknown) =>
  jsonRows(readableJson(json(value))).map((row) =>
    rowTokens(row)
      .map((token) => token.text)
      .join(''),
  );

describe('readable JSON', () => {
  test('lays out a string with line breaks as several lines', () => {
    expect(linesOf({ note: 'one\n  two\u202e', id: 1 })).toEqual([
      '{',
      '  note: """',
      '    one',
      '      two\\u202e',
      '  """,',
      '  id: 1',
      '}',
    ]);
    expect(linesOf('one\ntwo')).toEqual(['"""', '  one', '  two', '"""']);
  });

  test('lays out JSON inside a string, and JSON inside this JSON, with every digit', () => {
    const inner = `{"id":90071992547409931,"list":${JSON.stringify('[{"sku":"SKU-1"}]')}}`;
    expect(linesOf({ event: inner })).toEqual([
      '{',
      '  event: {',
      '    id: 90071992547409931,',
      '    list: [{ sku: "SKU-1" }]',
      '  }',
      '}',
    ]);
  });

  test('is the same object as the value if there is nothing to lay out', () => {
    for (const value of [
      { a: '{not json}', b: '[]', c: '{}', d: 'ends with a line break\n', e: ['x', 1, null] },
      '{"a":',
      42,
    ]) {
      const parsed = json(value);
      expect(readableJson(parsed)).toBe(parsed.value);
    }
  });

  test('is the same object each time, so that folded lines stay folded', () => {
    const value = json({ note: 'one\ntwo' });
    expect(readableJson(value)).toBe(readableJson(value));
  });

  test('leaves a long value unchanged', () => {
    const long = json({ note: 'one\ntwo'.repeat(30_000) });
    expect(readableJson(long)).toBe(long.value);
  });

  test('folds a string with line breaks, and counts its lines', () => {
    const value = readableJson(json({ note: 'one\ntwo\nthree' }));
    const note: unknown = Reflect.get(Object(value), 'note');
    const row = jsonRows(value, { chosen: new Map([[note, false]]), lines: 100 })[1]!;
    expect(row.kind).toBe('folded');
    expect(memberCount(row)).toBe(3);
  });
});
