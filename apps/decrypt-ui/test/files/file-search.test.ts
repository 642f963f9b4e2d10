import { MAX_FILE_EVENTS, type SearchFrame } from '@temporal-kms/codec-api';
import { describe, expect, test } from 'vitest';
import { fileSearch } from '../../src/files/file-search.ts';
import { hit } from '../support/search-hit.ts';

const counts = { events: 1, payloads: 1, bytes: 10, kmsCalls: 1, unreadable: { malformed: 1 } };
const request = { text: 'maren', caseSensitive: false, order: 'newest_first' } as const;

/** Searches a file of `length` events. `answer` receives the event ids of each request. */
async function search(
  length: number,
  answer: (ids: readonly number[], request: number) => SearchFrame[],
  more = {},
) {
  const asked: number[][] = [];
  const frames = fileSearch(
    {
      api: {
        async *searchFile(_, { events }) {
          const ids = events.map(Number);
          asked.push(ids);
          yield* answer(ids, asked.length);
        },
      },
      namespace: 'payments',
      workflow: { workflowId: 'order-1' },
      file: {
        runs: [
          {
            workflowId: 'order-1',
            runId: 'run-1',
            type: 'Order',
            startedAt: undefined,
            encoding: 'json',
            length,
            bytes: 0,
          },
        ],
        pick: async (_, eventIds) => ({ encoding: 'json', events: eventIds.map(String) }),
      },
      run: 0,
    },
    { ...request, ...more },
    new AbortController().signal,
  );
  const found: SearchFrame[] = [];
  for await (const frame of frames) found.push(frame);
  return { frames: found, asked };
}

const end = (
  ids: readonly number[],
  reason: 'complete' | 'limit' | 'signed_out' = 'complete',
): SearchFrame => ({ type: 'end', reason, after: ids.at(-1) ?? 0, hits: 0, ...counts });

describe('a search in a file’s payloads', () => {
  test('requests the last events first, and has one end frame, with the totals of all requests', async () => {
    const { frames, asked } = await search(MAX_FILE_EVENTS + 2, (ids) => [hit(ids[0] ?? 0), end(ids)]);
    expect(asked.map((ids) => [ids.at(0), ids.at(-1)])).toEqual([
      [502, 3],
      [2, 1],
    ]);
    expect(frames.map(({ type }) => type)).toEqual(['hit', 'progress', 'hit', 'progress', 'end']);
    expect(frames.at(-1)).toEqual({
      type: 'end',
      reason: 'complete',
      after: 1,
      hits: 2,
      events: 2,
      payloads: 2,
      bytes: 20,
      kmsCalls: 2,
      unreadable: { malformed: 2 },
    });
  });

  test('stops when the server reaches a limit, and can be resumed with the event before the last one searched', async () => {
    const limited = await search(10, () => [end([10, 7], 'limit')]);
    expect(limited.frames).toMatchObject([{ type: 'end', reason: 'limit', after: 7 }]);
    const { asked, frames } = await search(10, (ids) => [end(ids)], { after: 7 });
    expect(asked).toEqual([[6, 5, 4, 3, 2, 1]]);
    expect(frames.at(-1)).toMatchObject({ reason: 'complete', after: 1 });
  });

  test('has no end frame if the response to a request is truncated', async () => {
    const { frames } = await search(MAX_FILE_EVENTS + 2, (ids, n) => (n === 1 ? [end(ids)] : [hit(2)]));
    expect(frames.map(({ type }) => type)).toEqual(['progress', 'hit']);
  });
});
