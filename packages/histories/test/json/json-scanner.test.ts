import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonScanner, unescaped } from '../../src/json/json-scanner.ts';

const isJson = (text: string): boolean => new JsonScanner(text).scan(() => undefined);

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Returns the tokens that the scanner visits: each key, string, number and literal, with its pointer. */
function tokens(text: string): string[] {
  const found: string[] = [];
  const scanner = new JsonScanner(text);
  scanner.scan((place, start, end, escaped) => {
    const token = escaped ? unescaped(text, start, end) : text.slice(start, end);
    found.push(`${place} ${scanner.pointer(1_000)} ${token}`);
  });
  return found;
}

/** Returns the tokens that the scanner should visit in the JSON of a value. */
function expected(value: unknown, pointer = ''): string[] {
  if (typeof value !== 'object' || value === null) return [`value ${pointer} ${String(value)}`];
  const isArray = Array.isArray(value);
  return Object.entries(value).flatMap(([key, child]) => {
    const next = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    return [...(isArray ? [] : [`key ${next} ${key}`]), ...expected(child, next)];
  });
}

const charactersOf = (text: string): string[] => text.split('');
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

/** Characters that JSON uses, so that mutated text stays similar to JSON. */
const near = fc.string({
  unit: fc.constantFrom(...charactersOf('[]{},:"\\/bfnrtu0129.eE+-aAtrulsn \n\t\u0001é')),
  maxLength: 30,
});
/** JSON documents without numeric keys, because JavaScript objects list numeric keys first. */
const json = fc.json({ maxDepth: 4 }).filter((text) => !/"-?\d+":/.test(text));

describe('JsonScanner', () => {
  it('accepts exactly the text that JSON.parse accepts', () => {
    fc.assert(
      fc.property(near, (text) => {
        expect(isJson(text)).toBe(parses(text));
      }),
      { numRuns: 20_000 },
    );
    // Long strings take a separate, faster path.
    fc.assert(
      fc.property(fc.constantFrom(4_095, 4_096, 4_097, 9_000), near, (length, text) => {
        for (const long of [`"${'a'.repeat(length)}${text}"`, `["${'a'.repeat(length)}",${text}`])
          expect(isJson(long)).toBe(parses(long));
      }),
      { numRuns: 2_000 },
    );
    const mutated = fc.tuple(fc.json(), fc.nat(), fc.constantFrom(...charactersOf('[]{},:"\\0-.eu ')));
    fc.assert(
      fc.property(mutated, ([text, where, character]) => {
        const at = where % (text.length + 1);
        const inserted = text.slice(0, at) + character + text.slice(at);
        const replaced = text.slice(0, at) + character + text.slice(at + 1);
        const cut = text.slice(0, at);
        for (const one of [inserted, replaced, cut]) expect(isJson(one)).toBe(parses(one));
      }),
      { numRuns: 2_000 },
    );
  });

  it('visits each key, string, number and literal with its pointer, in document order', () => {
    fc.assert(
      fc.property(json, (text) => {
        const value: unknown = JSON.parse(text);
        expect(tokens(JSON.stringify(value))).toEqual(expected(value));
        expect(tokens(JSON.stringify(value, undefined, 2))).toEqual(expected(value));
      }),
    );
  });

  it('visits numbers as written', () => {
    expect(tokens('[9007199254740993, -0.50e+7]')).toEqual([
      'value /0 9007199254740993',
      'value /1 -0.50e+7',
    ]);
  });

  it('visits two equal keys separately', () => {
    expect(tokens('{"a":1,"a":2}')).toEqual(['key /a a', 'value /a 1', 'key /a a', 'value /a 2']);
  });

  it('rejects valid documents only if they are nested deeper than the limit', () => {
    expect(new JsonScanner(nested(10), 10).scan(() => undefined)).toBe(true);
    expect(new JsonScanner(nested(11), 10).scan(() => undefined)).toBe(false);
    expect(isJson(nested(1_000_000))).toBe(true);
  });

  it('replaces a pointer that is too long with the pointer of the innermost container that fits', () => {
    const text = '{"a":{"a long key":1}}';
    const pointers: string[] = [];
    const scanner = new JsonScanner(text);
    scanner.scan(() => pointers.push(scanner.pointer(5)));
    expect(pointers).toEqual(['/a', '/a', '/a']);
  });
});
