import { describe, expect, test } from 'vitest';
import { MAX_LINE, textLines } from '../../../src/payloads/value/text-lines.ts';

describe('text lines', () => {
  test('end at each line break', () => {
    expect(textLines('a\n\nb')).toEqual(['a', '', 'b']);
  });

  test('are at most 2,000 characters long, and yield the whole text when joined', () => {
    const text = Array.from({ length: 9000 }, (_, index) => String(index % 10)).join('');
    const lines = textLines(text);
    expect(lines).toHaveLength(5);
    expect(lines.join('')).toBe(text);
  });

  test('keep the two code units of a character together', () => {
    const lines = textLines(`x${'🔑'.repeat(3000)}`);
    expect(lines.every((line) => line.isWellFormed() && line.length <= MAX_LINE)).toBe(true);
    expect(lines.join('')).toBe(`x${'🔑'.repeat(3000)}`);
  });

  test('escape invisible characters', () => {
    expect(textLines('a\u200bb')[0]).not.toContain('\u200b');
  });
});
