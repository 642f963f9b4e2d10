import { expect, test } from 'vitest';
import { parseJson } from '../../src/payloads/value/payload-value.ts';
import { hitContext } from '../../src/search/hit-context.ts';
import { hit } from '../support/search-hit.ts';

const found = (match: string, pointer: string, more: object = {}) => ({
  ...hit(1),
  pointer,
  snippet: { before: '1-4', match, after: '5-16' } as const,
  ...more,
});
const json = (text: string) => ({ kind: 'json', text, value: parseJson(text) }) as const;

test.each([
  ['a member', '{"customer":{"name":"Mira Lindqvist"}}', 'Lind', '/customer/name', ['Mira ', 'qvist']],
  ['an item', '["x","Maren Vogel"]', 'Vogel', '/1', ['Maren ', '']],
  ['a name with a slash and a tilde', '{"a/b~c":"one"}', 'n', '/a~1b~0c', ['o', 'e']],
  [
    'a number with all its digits',
    '{"id":90071992547409931}',
    '254',
    '/id',
    ['90071992547409931'.split('254')[0], '7409931'],
  ],
  ['the whole payload', '"hello"', 'ell', '', ['h', 'o']],
  [
    'a long text',
    JSON.stringify(`${'a'.repeat(50)}x${'b'.repeat(50)}`),
    'x',
    '',
    [`…${'a'.repeat(40)}`, `${'b'.repeat(40)}…`],
  ],
])('the text around a match is that of %s', (_, text, match, pointer, [before, after]) => {
  expect(hitContext(json(text), found(match, pointer))).toEqual({ before, after });
});

test('the text around a match in a member’s name comes from the name', () => {
  expect(hitContext(json('{"orderId":1}'), found('der', '/orderId', { in: 'key' }))).toEqual({
    before: 'or',
    after: 'Id',
  });
});

test('a match that the payload does not contain has no text around it', () => {
  expect(hitContext(json('{"a":{"b":"x"}}'), found('x', '/a'))).toBeUndefined();
  expect(hitContext(json('{"a":"y"}'), found('x', '/a'))).toBeUndefined();
  expect(hitContext(json('{}'), found('f', '/toString'))).toBeUndefined();
  expect(hitContext({ kind: 'bytes', bytes: new Uint8Array(2) }, found('x', ''))).toBeUndefined();
});
