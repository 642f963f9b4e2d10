import { describe, expect, test } from 'vitest';
import { parseJson } from '../../src/json/bounded.ts';

describe('the JSON nesting limit', () => {
  test.each([
    ['brackets in strings', `["${'['.repeat(99)}"]`],
    ['brackets behind escaped quotes', JSON.stringify([`\\"${'{'.repeat(99)}`])],
    ['many sibling values', JSON.stringify(Array.from({ length: 99 }, () => ({ a: [1] })))],
    ['32 levels', `${'['.repeat(32)}${']'.repeat(32)}`],
  ])('permits %s', (_, text) => {
    expect(parseJson(text, { base: 1_000 })).toEqual(JSON.parse(text));
  });

  test('still applies after a string that ends in backslashes', () => {
    expect(() => parseJson(`["\\\\",${'['.repeat(33)}`, { base: 1_000 })).toThrow('32 levels');
  });
});
