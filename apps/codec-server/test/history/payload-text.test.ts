import { bodyOf } from '@temporal-kms/histories/readable';
import { describe, expect, it } from 'vitest';
import { textFinder } from '../../src/history/payload-text.ts';
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

describe('textFinder in JSON', () => {
  it('finds values and keys in document order, with their JSON Pointers', () => {
    const value = { refund: { why: 'a refund', list: ['x', 'refund'] }, other: 'refunded' };
    expect(places('refund', value)).toEqual([
      'key /refund',
      'value /refund/why',
      'value /refund/list/1',
      'value /other',
    ]);
  });

  it('escapes JSON Pointers according to RFC 6901', () => {
    expect(places('x', { 'a/b~c': 'x', '': { ' ': 'x' } })).toEqual(['value /a~1b~0c', 'value // ']);
  });

  it('finds all digits of a number, even beyond the precision of a double', () => {
    const [hit] = findIn('740993', body('{"id":9007199254740993}'));
    expect(hit).toMatchObject({ pointer: '/id', snippet: { before: '5-16', match: '740993', after: '0' } });
  });

  it('finds text that is escaped in the JSON', () => {
    expect(findIn('é', body('["\\u00e9"]'))).toHaveLength(1);
    expect(places('say "no"\n', ['say "no"\n'])).toEqual(['value /0']);
    expect(places('C:\\dir', ['C:\\dir'])).toEqual(['value /0']);
  });

  it('does not match across two values or in JSON syntax', () => {
    expect(find('a","b', ['a', 'b'])).toEqual([]);
    expect(find('{', { a: 1 })).toEqual([]);
  });

  it('treats all characters of the text literally', () => {
    expect(places('a.c', ['abc', 'a.c'])).toEqual(['value /1']);
    for (const term of '\\^$.*+?()[]{}|/-&#~'.split(''))
      expect(places(term, ['plain', `<${term}>`]), term).toEqual(['value /1']);
    const start = performance.now();
    find('(a+)+$', 'a'.repeat(100_000));
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it('ignores case unless caseSensitive is set', () => {
    expect(find('REFUND', 'a Refund')[0]?.snippet.match).toBe('Refund');
    expect(find('straße', 'STRASSE')).toEqual([]);
    expect(find('ÉTÉ', 'été')).toHaveLength(1);
    expect(find('REFUND', 'a Refund', true)).toEqual([]);
  });

  it('returns only the match, and the rough length of the text around the match', () => {
    expect(find('mid', `${'s'.repeat(17)}mid${'t'.repeat(70)} mid`)).toEqual([
      { pointer: '', in: 'value', matches: 2, snippet: { before: '17-64', match: 'mid', after: '65+' } },
    ]);
    expect(find('mid', 'mid')[0]?.snippet).toEqual({ before: '0', match: 'mid', after: '0' });
    expect(find('mid', 'abcdmid!')[0]?.snippet).toEqual({ before: '1-4', match: 'mid', after: '1-4' });
  });

  it('returns at most a hundred matches per payload, and the number of further matches', () => {
    const hits = find(
      'x',
      Array.from({ length: 250 }, () => 'x'),
    );
    expect(hits).toHaveLength(100);
    expect(hits.at(-1)).toMatchObject({ pointer: '/99', more: 150 });
    expect(hits.filter(({ more }) => more !== undefined)).toHaveLength(1);
  });

  it('searches JSON as text if it is nested deeper than the call stack allows', () => {
    const depth = 200_000;
    const deep = `${'['.repeat(depth)}"needle"${']'.repeat(depth)}`;
    expect(findIn('needle', body(deep))).toMatchObject([{ pointer: '', matches: 1 }]);
  });
});

describe('textFinder in other bodies', () => {
  it.each(['binary/plain', 'binary/protobuf', ''])(
    'finds text in a UTF-8 body with the encoding "%s"',
    (encoding) => {
      expect(findIn('needle', body('a needle', encoding))).toMatchObject([
        { pointer: '', in: 'value', snippet: { before: '1-4', match: 'needle', after: '0' } },
      ]);
    },
  );

  it('finds nothing in bytes that are not UTF-8, or in an empty payload', () => {
    expect(findIn('a', body(Buffer.from([0x61, 0xff])))).toEqual([]);
    expect(findIn('a', { metadata: { encoding: text('binary/null') } })).toEqual([]);
  });

  it('searches invalid JSON as text', () => {
    expect(findIn('needle', body('{needle'))).toMatchObject([{ pointer: '' }]);
  });
});
