import { describe, expect, test } from 'vitest';
import { textFinder } from '../../src/history/find-text.ts';
import { bodyOf } from '../../src/history/text-threads.ts';
import { type Payload, plain, text } from '../support/stack.ts';

const findIn = (term: string, payload: Payload, caseSensitive = false) =>
  textFinder({ text: term, caseSensitive })(bodyOf(payload));
const find = (term: string, value: unknown, caseSensitive = false) =>
  findIn(term, plain(value), caseSensitive);
const places = (term: string, value: unknown) =>
  find(term, value).map(({ pointer, in: place }) => `${place} ${pointer}`);
const body = (data: string | Uint8Array, encoding = 'json/plain') => ({
  metadata: { encoding: text(encoding) },
  data: typeof data === 'string' ? text(data) : data,
});

describe('in JSON', () => {
  test('finds values and keys in the order of the document, by their JSON Pointers', () => {
    const value = { refund: { why: 'a refund', list: ['x', 'refund'] }, other: 'refunded' };
    expect(places('refund', value)).toEqual([
      'key /refund',
      'value /refund/why',
      'value /refund/list/1',
      'value /other',
    ]);
  });

  test('escapes pointers as RFC 6901 has it', () => {
    expect(places('x', { 'a/b~c': 'x', '': { ' ': 'x' } })).toEqual(['value /a~1b~0c', 'value // ']);
  });

  test('finds a number as it was written, beyond what a double holds', () => {
    const [hit] = findIn('740993', body('{"id":9007199254740993}'));
    expect(hit).toMatchObject({ pointer: '/id', snippet: { before: '5-16', match: '740993', after: '0' } });
  });

  test('finds text that JSON writes with escapes, whatever the term is made of', () => {
    expect(findIn('é', body('["\\u00e9"]'))).toHaveLength(1);
    expect(places('say "no"\n', ['say "no"\n'])).toEqual(['value /0']);
    expect(places('C:\\dir', ['C:\\dir'])).toEqual(['value /0']);
  });

  test('does not find what stands across two values, or in the syntax between them', () => {
    expect(find('a","b', ['a', 'b'])).toEqual([]);
    expect(find('{', { a: 1 })).toEqual([]);
  });

  test('takes no pattern: characters that mean something in one are literal', () => {
    expect(places('a.c', ['abc', 'a.c'])).toEqual(['value /1']);
    for (const term of '\\^$.*+?()[]{}|/-&#~'.split(''))
      expect(places(term, ['plain', `<${term}>`]), term).toEqual(['value /1']);
    const start = performance.now();
    find('(a+)+$', 'a'.repeat(100_000));
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  test('compares letters without case unless told otherwise', () => {
    expect(find('REFUND', 'a Refund')[0]?.snippet.match).toBe('Refund');
    expect(find('straße', 'STRASSE')).toEqual([]);
    expect(find('ÉTÉ', 'été')).toHaveLength(1);
    expect(find('REFUND', 'a Refund', true)).toEqual([]);
  });

  test('tells the match and roughly how much stands around it, and nothing else', () => {
    expect(find('mid', `${'s'.repeat(17)}mid${'t'.repeat(70)} mid`)).toEqual([
      { pointer: '', in: 'value', matches: 2, snippet: { before: '17-64', match: 'mid', after: '65+' } },
    ]);
    expect(find('mid', 'mid')[0]?.snippet).toEqual({ before: '0', match: 'mid', after: '0' });
    expect(find('mid', 'abcdmid!')[0]?.snippet).toEqual({ before: '1-4', match: 'mid', after: '1-4' });
  });

  test('tells a hundred places of a payload, and how many more there are', () => {
    const hits = find(
      'x',
      Array.from({ length: 250 }, () => 'x'),
    );
    expect(hits).toHaveLength(100);
    expect(hits.at(-1)).toMatchObject({ pointer: '/99', more: 150 });
    expect(hits.filter(({ more }) => more !== undefined)).toHaveLength(1);
  });

  test('searches a body as text that is nested deeper than the stack', () => {
    const depth = 200_000;
    const deep = `${'['.repeat(depth)}"needle"${']'.repeat(depth)}`;
    expect(findIn('needle', body(deep))).toMatchObject([{ pointer: '', matches: 1 }]);
  });
});

describe('in other bodies', () => {
  test.each(['binary/plain', 'binary/protobuf', ''])('finds text in UTF-8 of encoding "%s"', (encoding) => {
    expect(findIn('needle', body('a needle', encoding))).toMatchObject([
      { pointer: '', in: 'value', snippet: { before: '1-4', match: 'needle', after: '0' } },
    ]);
  });

  test('finds nothing in what is no UTF-8, and nothing in nothing', () => {
    expect(findIn('a', body(Buffer.from([0x61, 0xff])))).toEqual([]);
    expect(findIn('a', { metadata: { encoding: text('binary/null') } })).toEqual([]);
  });

  test('searches what says that it is JSON and is not as text', () => {
    expect(findIn('needle', body('{needle'))).toMatchObject([{ pointer: '' }]);
  });
});
