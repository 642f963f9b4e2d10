import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { MemoryBudget } from '../../src/memory.ts';
import { runPages } from '../../src/routes/run-pages.ts';
import type { ResponseMemory } from '../../src/temporal/bounded-responses.ts';
import { never } from '../support/memory.ts';

const MiB = 1024 * 1024;

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
  const grant: any = { namespace: 'payments' };
  return { outgoing, pages: runPages(c, options, grant, '') };
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

it('never borrows memory for the list of runs, because the request also waits for the memory of its runs', async () => {
  const memory = new MemoryBudget(64 * MiB);
  const { pages } = pagesOf(memory, memory.common + 1);
  await expect(pages('', never)).rejects.toMatchObject({ code: 'busy' });
});
