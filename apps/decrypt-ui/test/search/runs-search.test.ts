import type { WorkflowSearchFrame, WorkflowSearchRequest, WorkflowSummary } from '@temporal-kms/codec-api';
import { describe, expect, it, vi } from 'vitest';
import { createPlaintextCache } from '../../src/payloads/reveal/plaintext-cache.ts';
import { createReveals } from '../../src/payloads/reveal/reveals.ts';
import { createRunsSearch } from '../../src/search/runs-search.ts';
import { searchRuns } from '../../src/search/search-runs.ts';
import { ApiFailure } from '../../src/session/server/failure.ts';
import { hit } from '../support/search-hit.ts';

const counts = { events: 3, payloads: 2, bytes: 100, kmsCalls: 1, unreadable: { key_disabled: 1 } } as const;

const workflow = (runId: string): WorkflowSummary => ({
  workflowId: `w-${runId}`,
  runId,
  type: 'order',
  taskQueue: 'orders',
  status: 'Completed',
  historyLength: 3,
  historySizeBytes: 100,
  searchAttributes: {},
  memo: [],
});
const run = (runId: string, hits = 1): WorkflowSearchFrame => ({
  type: 'run',
  workflow: workflow(runId),
  hits,
  partial: false,
});
const progress = (after: string, runs: number): WorkflowSearchFrame => ({
  type: 'progress',
  after,
  runs,
  hits: 1,
  ...counts,
});
const end = (
  after: string,
  runs: number,
  reason: 'complete' | 'limit' | 'error' | 'signed_out',
): WorkflowSearchFrame => ({ type: 'end', reason, after, runs, hits: 1, partial: 1, failed: 0, ...counts });

const list = { namespace: 'payments', query: 'WorkflowType = "order"' };

type Turn = (WorkflowSearchFrame | ApiFailure | 'wait')[];

/**
 * Returns a search whose requests get the given frames, one list per request. If a list contains an error, the request
 * throws it. At `wait`, the request waits until it is aborted.
 */
function setUp(...turns: Turn[]) {
  const asked: WorkflowSearchRequest[] = [];
  const renewed = vi.fn(() => Promise.resolve());
  const reveals = createReveals({
    plaintext: createPlaintextCache(),
    access: { can: () => true, reveal: () => 'automatic' },
  });
  const runsSearch = createRunsSearch(reveals);
  const search = {
    ...runsSearch,
    ...searchRuns(runsSearch, {
      renewed,
      searchWorkflows: async function* searchWorkflows(_, body, signal) {
        asked.push(body);
        for (const frame of turns[asked.length - 1] ?? []) {
          if (frame instanceof ApiFailure) throw frame;
          if (frame !== 'wait') yield frame;
          else {
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
            signal.throwIfAborted();
          }
        }
      },
    }),
  };
  const state = () => search.store.getState();
  const found = () => state().found.map(({ workflow: { runId }, hits }) => [runId, hits.length]);
  const becomes = (status: string) => expect.poll(() => state().search?.status).toBe(status);
  return { search, reveals, asked, renewed, state, found, becomes };
}

describe('a search in several runs’ payloads', () => {
  it('collects the runs in the order of the response, each with its hits, and counts what was searched', async () => {
    const { search, asked, state, found, becomes } = setUp([
      run('a', 2),
      hit(9),
      hit(4),
      progress('.a', 1),
      run('b'),
      hit(5),
      end('.c', 3, 'complete'),
    ]);
    search.setText('x');
    search.start(list);
    await becomes('complete');
    expect(asked).toEqual([{ text: 'x', caseSensitive: false, query: list.query }]);
    expect(found()).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect(state().search).toMatchObject({ ...counts, runs: 3, partial: 1, failed: 0 });
  });

  it('shows hits while the search continues', async () => {
    const { search, found } = setUp([run('a'), hit(9), 'wait']);
    search.setText('x');
    search.start(list);
    await expect.poll(() => found()).toEqual([['a', 1]]);
    search.clear();
  });

  it('keeps its results when it is stopped, and then continues after the last complete run, repeating no result', async () => {
    const { search, asked, state, found, becomes } = setUp(
      [run('a'), hit(9), progress('.a', 1), run('b'), hit(2), 'wait'],
      [run('b'), hit(2), run('c'), hit(7), end('.c', 2, 'complete')],
    );
    search.setText('x');
    search.start(list, 'ticket 17');
    await expect.poll(() => found()).toHaveLength(2);
    search.stop();
    expect(state().search).toMatchObject({ status: 'stopped', after: '.a' });
    search.resume();
    await becomes('complete');
    expect(asked[1]).toEqual({
      text: 'x',
      caseSensitive: false,
      query: list.query,
      justification: 'ticket 17',
      after: '.a',
    });
    expect(found()).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]);
    expect(state().search).toMatchObject({ runs: 3, payloads: 4, unreadable: { key_disabled: 2 } });
  });

  it('continues after the server reaches a limit, as long as nothing has been found', async () => {
    const nothing = (after: string) => end(after, 1000, 'limit');
    const { search, asked, state, found, becomes } = setUp(
      [nothing('.a')],
      [nothing('.b')],
      [run('c'), hit(2), end('.c', 1000, 'limit')],
      [],
    );
    search.setText('x');
    search.start(list);
    await becomes('limit');
    expect(asked.map(({ after }) => after)).toEqual([undefined, '.a', '.b']);
    expect(found()).toEqual([['c', 1]]);
    expect(state().search).toMatchObject({ runs: 3000, payloads: 6, partial: 3 });
  });

  it('stops if the server reaches a limit before it has searched any run', async () => {
    const { search, asked, becomes } = setUp([end('.', 0, 'limit')], []);
    search.setText('x');
    search.start(list);
    await becomes('limit');
    expect(asked).toHaveLength(1);
  });

  it('continues with a new token after its token has expired', async () => {
    const { search, asked, renewed, state, found, becomes } = setUp(
      [run('a'), hit(9), end('.a', 1, 'signed_out')],
      [run('b'), hit(2), end('.b', 1, 'complete')],
    );
    search.setText('x');
    search.start(list);
    await becomes('complete');
    expect(renewed).toHaveBeenCalledOnce();
    expect(asked[1]).toMatchObject({ after: '.a' });
    expect(found().map(([runId]) => runId)).toEqual(['a', 'b']);
    expect(state().search).toMatchObject({ runs: 2, payloads: 4, partial: 2 });
  });

  it.each([
    ['forbidden', new ApiFailure('forbidden', 'no')],
    ['temporal_unavailable', new ApiFailure('temporal_unavailable', 'no')],
  ])('reports the failure %s', async (code, failure) => {
    const { search, state, becomes } = setUp([failure]);
    search.setText('x');
    search.start(list);
    await becomes('failed');
    expect(state().search?.failure?.code).toBe(code);
  });

  it('fails when the response ends without its last line', async () => {
    const { search, becomes } = setUp([progress('.a', 1)]);
    search.setText('x');
    search.start(list);
    await becomes('failed');
  });

  it('forgets its text and its results when it is closed, and its results when the text changes', async () => {
    const { search, state, becomes } = setUp([run('a'), hit(9), end('.a', 1, 'complete')]);
    search.show();
    search.setText('x');
    search.start(list);
    await becomes('complete');
    search.setText('xy');
    expect(state()).toMatchObject({ text: 'xy', found: [], search: undefined });
    search.clear();
    expect(state()).toMatchObject({ open: false, text: '', found: [] });
  });

  it('forgets its text and its results when the person locks the payloads of the namespace', async () => {
    const { search, reveals, state, becomes } = setUp([run('a'), hit(9), end('.a', 1, 'complete')]);
    search.show();
    search.setText('x');
    search.start(list);
    await becomes('complete');
    reveals.lock('orders');
    expect(state().found).toHaveLength(1);
    reveals.lock('payments');
    expect(state()).toMatchObject({ open: true, text: '', found: [], search: undefined });
  });
});
