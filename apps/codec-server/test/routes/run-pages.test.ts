import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { HttpError } from '../../src/errors.ts';
import { MemoryBudget } from '../../src/memory.ts';
import { runPages } from '../../src/routes/run-pages.ts';
import type { ResponseMemory } from '../../src/temporal/bounded-responses.ts';
import { never } from '../support/memory.ts';

const MiB = 1024 * 1024;

const grant: any = { namespace: 'payments' };

/** Returns the pages of a list of runs. Temporal's response for a page takes this many bytes. */
function pagesOf(memory: MemoryBudget, bytes: number) {
  const outgoing = new EventEmitter();
  const c: any = { env: { outgoing }, get: (name: string) => (name === 'memory' ? memory : undefined) };
  const executions = [{ execution: { workflowId: 'w', runId: 'r' }, status: 3 }];
  const list = async (_: object, _signal: AbortSignal, { reserve }: ResponseMemory) => {
    reserve(bytes);
    return { executions, nextPageToken: new Uint8Array() };
  };
  const options: any = { temporal: () => ({ list }), inspect: () => ({}), authority: {} };
  return { outgoing, pages: runPages(c, options, grant, { query: '' }) };
}

it('holds memory for a page’s runs, but not for Temporal’s response, until the server’s response closes', async () => {
  const memory = new MemoryBudget(64 * MiB);
  const { outgoing, pages } = pagesOf(memory, 8 * MiB);
  expect((await pages('', never)).runs).toMatchObject([{ workflowId: 'w' }]);
  expect(memory.held).toBeGreaterThan(0);
  expect(memory.held).toBeLessThan(MiB);
  outgoing.emit('close');
  expect(memory.held).toBe(0);
});

it('never borrows memory for the list of runs, because the request also waits for memory for the runs that it reads', async () => {
  const memory = new MemoryBudget(64 * MiB);
  const { pages } = pagesOf(memory, memory.common + 1);
  await expect(pages('', never)).rejects.toMatchObject({ code: 'busy' });
});

it('reads equally many runs before each time in a sample, and no run twice', async () => {
  const SECOND = 1000;
  // A run closes every second, and the newest runs come first.
  const closed = Array.from({ length: 60 }, (_, n) => (60 - n) * SECOND);
  const list = async ({ query, pageSize }: { query: string; pageSize: number }) => {
    const [, from = '', to = ''] =
      /^\(Type = 't'\) AND CloseTime >= '(.+)' AND CloseTime <= '(.+)'$/.exec(query) ?? [];
    const found = closed.filter((at) => at >= Date.parse(from) && at <= Date.parse(to)).slice(0, pageSize);
    return {
      executions: found.map((at) => ({
        execution: { workflowId: String(at / SECOND), runId: 'r' },
        status: 2,
        closeTime: { seconds: at / SECOND, nanos: 0 },
      })),
      nextPageToken: new Uint8Array(),
    };
  };
  const options: any = { temporal: () => ({ list }), inspect: () => ({}), authority: {} };
  const c: any = { get: () => new MemoryBudget(64 * MiB) };
  const until = [50, 49, 30, ...Array.from({ length: 16 }, () => 12)].map((at) => at * SECOND);
  const sample = { from: 5 * SECOND, until };
  const pages = runPages(c, options, grant, { query: "Type = 't' ORDER BY CloseTime", sample });
  const read: string[] = [];
  for (let token: string | undefined = ''; token !== undefined;) {
    const page = await pages(token, never);
    read.push(page.runs.map(({ workflowId }) => workflowId).join(' '));
    token = page.next;
  }
  expect(read).toEqual([
    '50 49 48 47 46 45 44 43 42 41',
    '40 39 38 37 36 35 34 33 32 31',
    '30 29 28 27 26 25 24 23 22 21',
    '12 11 10 9 8 7 6 5',
    '',
  ]);
  for (const token of ['19-1', '1-99999', 'x'])
    await expect(pages(token, never)).rejects.toMatchObject({ code: 'bad_request' });
});

it('blames `after` for Temporal’s unknown error only if the request contained its token', async () => {
  const cause = Object.assign(new Error('unknown'), { code: 2, details: '', metadata: {} });
  const list = () => Promise.reject(new HttpError(503, 'temporal_unavailable', 'unavailable', { cause }));
  const options: any = { temporal: () => ({ list }), inspect: () => ({}), authority: {} };
  const c: any = { get: () => new MemoryBudget(64 * MiB) };
  const sample = { from: 1, until: [3, 2] };
  const read = (token: string, parts: object) =>
    runPages(c, options, grant, { query: '', ...parts })(token, never).catch(({ code }) => code);
  expect(await read('dG9rZW4', {})).toBe('bad_request');
  expect(await read('', {})).toBe('temporal_unavailable');
  expect(await read('1-2', { sample })).toBe('temporal_unavailable');
});
