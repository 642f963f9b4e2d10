import { randomUUID } from 'node:crypto';
import { createAudit } from '@temporal-kms/audit';
import { workflowList, type WorkflowSearchFrame, workflowSearchFrame } from '@temporal-kms/codec-api';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { HttpError } from '../../src/errors.ts';
import { createTemporalService, type TemporalService } from '../../src/temporal/service.ts';
import { forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { post, recordedAudit } from '../support/stack.ts';
import { get, lines, NAMESPACE, runOf, startStack } from '../support/temporal.ts';
import { finish } from '../support/workflows.ts';

const SECRET = 'canary-31f0aa';
const prefix = `across-${randomUUID()}`;
const RUNS = 20;
const query = `WorkflowId STARTS_WITH "${prefix}"`;

const stack = forFile(await startStack());

const WORKFLOWS = `/api/namespaces/${NAMESPACE}/workflows`;
const postSearch = (body: object, app = stack.app): Promise<Response> =>
  post(app, `${WORKFLOWS}:search`, body);
const search = async (body: object, app = stack.app): Promise<WorkflowSearchFrame[]> =>
  Array.fromAsync(lines(await postSearch(body, app), workflowSearchFrame));
const ends = (frames: WorkflowSearchFrame[]) => frames.findLast((frame) => frame.type === 'end');
const found = (frames: WorkflowSearchFrame[]): string[] =>
  frames.flatMap((frame) => (frame.type === 'run' ? [frame.workflow.workflowId] : []));
/** Returns the runs that match the query, in the order in which the server lists them. */
const listed = async () => {
  const response = await get(stack.app, `${WORKFLOWS}?query=${encodeURIComponent(query)}`);
  return workflowList.parse(await response.json()).workflows;
};

const started = Array.from({ length: RUNS }, (_, index) =>
  stack.start('everywhere', [index % 4 === 0 ? `${SECRET} ${index}` : 'another text'], {
    workflowId: `${prefix}-${index}`,
  }),
);
for (const handle of await Promise.all(started)) {
  await handle.signal(finish, 'bye');
  await handle.result();
}
// Temporal updates its visibility store some time after a run has ended, which also moves the run in the
// list.
const completed = `${query} AND ExecutionStatus = "Completed"`;
await vi.waitFor(
  async () =>
    expect(ends(await search({ text: 'no such text', query: completed }))).toMatchObject({ runs: RUNS }),
  { timeout: 20_000, interval: 500 },
);

/** A service that counts concurrent `describe` calls, and rejects the calls for some workflows. */
function watched(refuse: (workflowId: string) => boolean) {
  const service = createTemporalService(stack.connection);
  const seen = { most: 0, asked: 0, inFlight: 0 };
  const describeRun: TemporalService['describe'] = async (request, signal) => {
    seen.asked += 1;
    seen.inFlight += 1;
    seen.most = Math.max(seen.most, seen.inFlight);
    try {
      if (refuse(request.execution?.workflowId ?? ''))
        throw new HttpError(404, 'not_found', 'Temporal does not have it.');
      return await service.describe(request, signal);
    } finally {
      seen.inFlight -= 1;
    }
  };
  return { seen, app: stack.replica({ temporal: { ...service, describe: describeRun } }) };
}

describe('a search over all runs that match a query', () => {
  it('returns the runs that contain the text, with their hits, in the order of the workflow list', async () => {
    const frames = await search({ text: SECRET, query });
    const workflows = await listed();
    const wanted = workflows.filter(({ workflowId }) => Number(workflowId.split('-').at(-1)) % 4 === 0);
    expect(found(frames)).toEqual(wanted.map(({ workflowId }) => workflowId));
    let left = 0;
    for (const frame of frames) {
      if (frame.type === 'run') {
        expect(left).toBe(0);
        left = frame.hits;
        expect(frame.partial).toBe(false);
      }
      if (frame.type === 'hit') {
        left -= 1;
        expect(frame.snippet.match).toBe(SECRET);
      }
    }
    expect(left).toBe(0);
    expect(ends(frames)).toMatchObject({
      reason: 'complete',
      runs: RUNS,
      partial: 0,
      failed: 0,
      unreadable: {},
    });
  });

  it('continues after a position without repeating or skipping a run', async () => {
    const workflows = await listed();
    const all = found(await search({ text: SECRET, query }));
    const rest = await search({ text: SECRET, query, after: `.${workflows[9]!.runId}` });
    const later = new Set(workflows.slice(10).map(({ workflowId }) => workflowId));
    expect(found(rest)).toEqual(all.filter((id) => later.has(id)));
    expect(ends(rest)).toMatchObject({ reason: 'complete', runs: RUNS - 10 });
  });

  it('writes an audit entry for each run, but never the text into the audit or log', async () => {
    const { log, lines: logged } = keptLog();
    const { audit, entries } = recordedAudit();
    await search({ text: SECRET, query, justification: 'ticket 17' }, stack.replica({ log, audit }));
    const of = (event: string) => entries.filter((entry) => entry.event === event);
    expect(of('intent')).toHaveLength(RUNS);
    expect(of('outcome')).toHaveLength(RUNS);
    expect(new Set(of('intent').map(({ runId }) => runId)).size).toBe(RUNS);
    for (const entry of of('intent'))
      expect(entry).toMatchObject({ operation: 'search', justification: 'ticket 17' });
    for (const entry of of('outcome'))
      expect(entry.outcome).toMatchObject({ result: 'complete', refused: {} });
    expect(JSON.stringify([entries, logged])).not.toContain(SECRET);
  });

  it('decrypts nothing in a run whose audit intent cannot be written', async () => {
    const audit = createAudit({
      write: async () => {
        throw new Error('the disk is full');
      },
    });
    const frames = await search({ text: SECRET, query }, stack.replica({ audit }));
    expect(found(frames)).toEqual([]);
    expect(ends(frames)).toMatchObject({ reason: 'error', hits: 0, payloads: 0 });
  });

  it.each([
    ['no text', {}, 'bad_request'],
    ['an unknown field', { text: 'x', regex: true }, 'bad_request'],
    ['an invalid query', { text: 'x', query: 'Nonsense = ' }, 'invalid_query'],
    ['a position that the server did not return', { text: 'x', after: 'Zm9v.' }, 'bad_request'],
  ])('returns 400 for %s', async (_, body, code) => {
    const response = await postSearch(body);
    expect([response.status, await response.json()]).toMatchObject([400, { error: { code } }]);
  });

  it('searches running workflows too', async () => {
    const handle = await stack.start('everywhere', [`${SECRET} running`]);
    const { workflowId } = await runOf(handle);
    await expect
      .poll(
        async () => found(await search({ text: `${SECRET} running`, query: `WorkflowId = "${workflowId}"` })),
        { timeout: 20_000, interval: 500 },
      )
      .toEqual([workflowId]);
    await handle.signal(finish, 'bye');
    await handle.result();
  });

  describe('a search over running workflows', () => {
    const OPEN = 12;
    const opened = `open-${randomUUID()}`;
    const openQuery = `WorkflowId STARTS_WITH "${opened}"`;
    beforeAll(async () => {
      await Promise.all(
        Array.from({ length: OPEN }, (_, n) =>
          stack.start('waiting', [`${SECRET} open`], { workflowId: `${opened}-${n}` }),
        ),
      );
      await vi.waitFor(
        async () => expect(ends(await search({ text: 'x', query: openQuery }))).toMatchObject({ runs: OPEN }),
        { timeout: 20_000, interval: 500 },
      );
    });

    it('requests the history lengths of several runs at a time, and each length only once', async () => {
      const { seen, app } = watched(() => false);
      const frames = await search({ text: `${SECRET} open`, query: openQuery }, app);
      expect(found(frames)).toHaveLength(OPEN);
      expect(seen.asked).toBe(OPEN);
      expect(seen.most).toBeGreaterThan(1);
      expect(seen.most).toBeLessThanOrEqual(16);
    });

    it('skips a run that Temporal no longer has', async () => {
      const { app } = watched((workflowId) => workflowId === `${opened}-3`);
      const frames = await search({ text: `${SECRET} open`, query: openQuery }, app);
      expect(found(frames)).toHaveLength(OPEN - 1);
      expect(ends(frames)).toMatchObject({ reason: 'complete', runs: OPEN - 1, failed: 1 });
    });
  });

  it('stops decrypting when the client disconnects, and records that in the audit', async () => {
    const { audit, entries } = recordedAudit();
    const response = await postSearch({ text: SECRET, query }, stack.replica({ audit }));
    const reader = response.body!.getReader();
    await reader.read();
    await reader.cancel();
    const of = (event: string) => entries.filter((entry) => entry.event === event).length;
    await expect.poll(() => of('intent') > 0 && of('outcome') === of('intent')).toBe(true);
  });
});
