import { describe, expect, test } from 'vitest';
import { comparableLines } from '../../../src/payloads/diff/comparable.ts';
import { changedLines, diffRows, lineDiff, wordDiff } from '../../../src/payloads/diff/line-diff.ts';
import { payloadValue } from '../../../src/payloads/value/payload-value.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, index) => `line ${index}`);
const json = (text: string) =>
  comparableLines(
    payloadValue({
      metadata: { encoding: Buffer.from('json/plain').toString('base64') },
      data: Buffer.from(text).toString('base64'),
    }),
  );

describe('a text comparison', () => {
  test('pairs adjacent removed and added lines', () => {
    const { parts, aligned } = lineDiff(['a', 'b', 'c'], ['a', 'x', 'y', 'c']);
    expect(aligned).toBe(true);
    expect(parts).toEqual([
      { kind: 'same', left: 1, right: 1 },
      { kind: 'changed', left: 1, right: 2 },
      { kind: 'same', left: 1, right: 1 },
    ]);
    expect(changedLines(parts)).toBe(2);
  });

  test('finds only the equal lines at both ends once its time limit has passed', () => {
    const left = ['head', ...Array.from({ length: 4000 }, (_, index) => `left ${index}`), 'tail'];
    const right = ['head', ...Array.from({ length: 3000 }, (_, index) => `right ${index}`), 'tail'];
    expect(lineDiff(left, right, 0)).toEqual({
      aligned: false,
      parts: [
        { kind: 'same', left: 1, right: 1 },
        { kind: 'changed', left: 4000, right: 3000 },
        { kind: 'same', left: 1, right: 1 },
      ],
    });
  });

  test('folds equal lines that are far from a change until the user opens them', () => {
    const left = numbers(40);
    const right = left.with(20, 'other');
    const { parts } = lineDiff(left, right);
    const rows = diffRows(parts, new Set());
    expect(rows.map(({ kind }) => kind)).toEqual([
      'folded',
      'same',
      'same',
      'same',
      'changed',
      'same',
      'same',
      'same',
      'folded',
    ]);
    expect(rows[0]).toEqual({ kind: 'folded', at: 0, count: 17 });
    expect(rows[4]).toEqual({ kind: 'changed', left: 20, right: 20 });
    const opened = diffRows(parts, new Set([0]));
    expect(opened).toHaveLength(17 + 3 + 1 + 3 + 1);
    expect(opened[0]).toEqual({ kind: 'same', left: 0, right: 0 });
  });

  test('marks the words that differ between two lines', () => {
    const { left, right } = wordDiff('"amount": 12890,', '"amount": 12891,');
    expect(left.filter(({ changed }) => changed).map(({ text }) => text)).toEqual(['12890']);
    expect(right.filter(({ changed }) => changed).map(({ text }) => text)).toEqual(['12891']);
    const unlike = wordDiff('"amount": {', '"reserved": [');
    expect(unlike.left).toEqual([{ text: '"amount": {', changed: false }]);
  });
});

describe('a payload’s lines for a comparison', () => {
  test('do not depend on the order of members, and keep every digit', () => {
    expect(json('{"b":1.0,"a":{"d":12345678901234567890,"c":[2,1]}}')).toEqual(
      json('{"a":{"c":[2,1],"d":12345678901234567890},"b":1.0}'),
    );
    expect(json('{"a":1.0}')).not.toEqual(json('{"a":1.00}'));
    expect(json('{"a":9007199254740993}')).not.toEqual(json('{"a":9007199254740992}'));
  });
});

describe('JSON lines', () => {
  test('sort the members, indent them and keep every digit', () => {
    expect(json('{"b":[1.10,{}],"a":{"c":"x\\ny"},"d":[]}')).toEqual([
      '{',
      '  "a": {',
      '    "c": "x\\ny"',
      '  },',
      '  "b": [',
      '    1.10,',
      '    {}',
      '  ],',
      '  "d": []',
      '}',
    ]);
  });

  test('are not much longer than the JSON, even if it is deeply nested', () => {
    const items = Array.from({ length: 10_000 }, () => 7).join(',');
    const lines = json(`${'['.repeat(190)}${items}${']'.repeat(190)}`);
    expect(lines).toHaveLength(10_000 + 2 * 190);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(50);
    expect(json(`${'['.repeat(400)}${']'.repeat(400)}`)).toHaveLength(2 * 201 + 1);
  });
});
