import type { SearchFrame, SearchRequest } from '@temporal-kms/codec-api';
import { expect, test, vi } from 'vitest';
import { createFind } from '../../../src/runs/run/find-in-run.ts';
import { ApiFailure } from '../../../src/session/server/failure.ts';
import { hit } from '../../support/search-hit.ts';

const counts = { payloads: 1, bytes: 100, kmsCalls: 1, unreadable: {} };
const progress = (after: number, events: number): SearchFrame => ({
  type: 'progress',
  after,
  of: 9,
  events,
  ...counts,
});
const end = (
  after: number,
  reason: 'complete' | 'limit' | 'error' | 'signed_out',
  hits: number,
): SearchFrame => ({ type: 'end', reason, after, events: 1, hits, ...counts });

/**
 * Returns a search whose requests get the given frames, one list per request. If a list contains an error, the request
 * throws it.
 */
function setUp(...turns: (SearchFrame | ApiFailure)[][]) {
  const asked: SearchRequest[] = [];
  const words: (readonly string[])[] = [];
  const renewed = vi.fn(() => Promise.resolve());
  const find = createFind({
    renewed,
    findNames: (searched) => words.push(searched),
    searchPayloads: async function* searchPayloads(request) {
      asked.push(request);
      for (const frame of turns[asked.length - 1] ?? []) {
        if (frame instanceof ApiFailure) throw frame;
        yield frame;
      }
    },
  });
  return { find, asked, words, renewed, state: () => find.store.getState() };
}

test('searches names on each keystroke, and payloads only on request', async () => {
  const { find, asked, words, state } = setUp([hit(3), end(1, 'complete', 1)]);
  find.setTerm('Capture  Failed');
  expect(words).toEqual([['capture', 'failed']]);
  find.addNames([4, 7], 1);
  expect([...state().matches!.keys()]).toEqual([4, 7]);
  expect(asked).toEqual([]);
  find.searchPayloads();
  await expect.poll(() => state().search?.status).toBe('complete');
  expect(asked[0]).toMatchObject({ text: 'Capture  Failed', order: 'newest_first', caseSensitive: false });
  expect([...state().matches!.keys()]).toEqual([3]);
});

test('adds later events’ names, and drops the names of replaced events', () => {
  const { find, state } = setUp();
  find.setTerm('late');
  find.addNames([2, 8], 1);
  find.addNames([9], 8);
  expect([...state().matches!.keys()]).toEqual([2, 9]);
});

test('continues after a limit, and adds the counts and hits of both requests', async () => {
  const { find, asked, state } = setUp(
    [hit(9), progress(8, 1), end(8, 'limit', 1)],
    [hit(5), end(1, 'complete', 1)],
  );
  find.setTerm('x');
  find.searchPayloads();
  await expect.poll(() => state().search?.status).toBe('limit');
  find.resume();
  await expect.poll(() => state().search?.status).toBe('complete');
  expect(asked[1]).toMatchObject({ after: 8 });
  expect(state().hits.map(({ eventId }) => eventId)).toEqual([9, 5]);
  expect(state().search).toMatchObject({ events: 2, payloads: 2, bytes: 200, kmsCalls: 2 });
});

test('continues with a new token after the token has expired, without repeating a hit', async () => {
  const { find, asked, renewed, state } = setUp(
    [hit(9), progress(9, 1), hit(5), end(8, 'signed_out', 2)],
    [hit(5), hit(3), end(1, 'complete', 2)],
  );
  find.setTerm('x');
  find.searchPayloads('ticket 17');
  await expect.poll(() => state().search?.status).toBe('complete');
  expect(renewed).toHaveBeenCalledOnce();
  expect(asked[1]).toMatchObject({ after: 8, justification: 'ticket 17' });
  expect(state().hits.map(({ eventId }) => eventId)).toEqual([9, 5, 3]);
  expect([...state().matches!.values()].map(({ length }) => length)).toEqual([1, 1, 1]);
  expect(state().search).toMatchObject({ events: 2, payloads: 2 });
});

test('keeps the justification of a search that continues', async () => {
  const { find, asked, state } = setUp([end(8, 'limit', 0)], [end(1, 'complete', 0)]);
  find.setTerm('x');
  find.searchPayloads('ticket 17');
  await expect.poll(() => state().search?.status).toBe('limit');
  find.resume();
  await expect.poll(() => state().search?.status).toBe('complete');
  expect(asked[1]).toMatchObject({ after: 8, justification: 'ticket 17' });
});

test('shows the results of a search across runs without a request, and continues after these results', async () => {
  const { find, asked, state } = setUp([hit(2), end(1, 'complete', 1)]);
  const found = [hit(9), hit(4)].flatMap((frame) => (frame.type === 'hit' ? frame : []));
  find.adopt({ text: 'x', caseSensitive: true, hits: found, partial: true, current: 1 });
  expect(asked).toEqual([]);
  expect(state()).toMatchObject({ open: true, term: 'x', scope: 'payloads', current: 1, hits: found });
  expect([...state().matches!.keys()]).toEqual([9, 4]);
  find.resume();
  await expect.poll(() => state().search?.status).toBe('complete');
  expect(asked[0]).toMatchObject({ text: 'x', caseSensitive: true, after: 4 });
  expect(state().hits.map(({ eventId }) => eventId)).toEqual([9, 4, 2]);
});

test('reports why a search failed, and keeps its hits', async () => {
  const failed = setUp([hit(9), progress(9, 1), end(9, 'error', 1)]);
  failed.find.setTerm('x');
  failed.find.searchPayloads();
  await expect.poll(() => failed.state().search?.status).toBe('failed');
  expect(failed.state().hits).toHaveLength(1);
  const refused = setUp([new ApiFailure('forbidden', 'no')]);
  refused.find.setTerm('x');
  refused.find.searchPayloads();
  await expect.poll(() => refused.state().search?.failure?.code).toBe('forbidden');
});

test('fails when the response ends without its last line', async () => {
  const { find, state } = setUp([progress(9, 1)]);
  find.setTerm('x');
  find.searchPayloads();
  await expect.poll(() => state().search?.status).toBe('failed');
});

test('forgets the text and the results when it is closed', async () => {
  const { find, state } = setUp([hit(3), end(1, 'complete', 1)]);
  find.show('payloads');
  find.setTerm('x');
  find.searchPayloads();
  await expect.poll(() => state().hits).toHaveLength(1);
  find.clear();
  expect(state()).toMatchObject({ open: false, term: '', hits: [], matches: undefined, search: undefined });
});

test('forgets the text and the results of a search in payloads, but keeps the text of a search in names', async () => {
  const { find, state } = setUp([hit(3), end(1, 'complete', 1)]);
  find.setTerm('Vogel');
  find.searchPayloads();
  await expect.poll(() => state().search?.status).toBe('complete');
  find.forgetPayloads();
  expect(state()).toMatchObject({ open: true, scope: 'payloads', term: '', hits: [] });
  expect(state().search).toBeUndefined();
  expect(state().matches).toBeUndefined();
  find.setScope('names');
  find.setTerm('capture');
  find.forgetPayloads();
  expect(state().term).toBe('capture');
});

test('calls a function once it knows that no name matches, unless the text has changed in the meantime', () => {
  const { find, asked } = setUp();
  const acted: string[] = [];
  const ask = (name: string) => find.ifNoName(() => acted.push(name));
  ask('without a text');
  find.setTerm('a');
  ask('before the answer');
  expect(acted).toEqual([]);
  find.addNames([], 1);
  expect(acted).toEqual(['before the answer']);
  ask('after the answer');
  expect(acted).toEqual(['before the answer', 'after the answer']);
  find.setTerm('ab');
  ask('for a text that was changed');
  find.setTerm('abc');
  find.addNames([], 1);
  find.setTerm('b');
  ask('although a name matches');
  find.addNames([4], 1);
  ask('although a name is known to match');
  find.setTerm('c');
  ask('in a bar that was closed');
  find.clear();
  find.addNames([], 1);
  find.setTerm('  ');
  ask('for a blank text');
  expect(acted).toEqual(['before the answer', 'after the answer']);
  expect(asked).toEqual([]);
});
