import { describe, expect, test } from 'vitest';
import { CUT, cutOf, cutText, MORE } from '../../../src/payloads/diff/line-cut.ts';

const long = (length: number, end = '') => 'x'.repeat(length - end.length) + end;

describe('the compared part of two long lines', () => {
  test('consists of the whole lines up to the limit', () => {
    expect(cutText('short', cutOf('short', 'line', 0))).toBe('short');
    const line = long(CUT);
    expect(cutText(line, cutOf(line, '', 0))).toBe(line);
  });

  test('starts at the beginning of the lines if they are equal or differ early', () => {
    const line = long(5 * CUT);
    expect(cutText(line, cutOf(line, line, 0))).toBe(`${long(CUT)}…`);
    expect(cutOf(line, `y${line}`, 0)).toEqual({ from: 0, to: CUT });
  });

  test('contains the first difference of lines with a long common beginning', () => {
    const left = `${long(30_000)}before${long(30_000)}`;
    const right = `${long(30_000)}after${long(30_000)}`;
    const cut = cutOf(left, right, 0);
    expect(cutText(left, cut)).toMatch(/^…x{100}before/);
    expect(cutText(right, cut)).toMatch(/^…x{100}after.*…$/);
    expect(cut.to - cut.from).toBe(CUT);
  });

  test('reaches the ends of the lines if only the ends differ', () => {
    const left = long(5 * CUT, 'before');
    const right = long(5 * CUT, 'after');
    const cut = cutOf(left, right, 0);
    expect(cutText(left, cut).endsWith('before')).toBe(true);
    expect(cutText(right, cut).endsWith('after')).toBe(true);
  });

  test('grows each time that the user asks for more, until it consists of the whole lines', () => {
    const line = long(CUT + MORE + 1);
    expect(cutText(line, cutOf(line, '', 1))).toBe(`${long(CUT + MORE)}…`);
    expect(cutText(line, cutOf(line, '', 2))).toBe(line);
  });

  test('keeps surrogate pairs together', () => {
    const line = '😀'.repeat(CUT);
    for (const cut of [
      { from: 0, to: 101 },
      { from: 101, to: 201 },
    ])
      expect(cutText(line, cut)).toMatch(/^…?(?:😀)+…$/u);
  });
});
