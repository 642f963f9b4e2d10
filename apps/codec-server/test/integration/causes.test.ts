import { randomUUID } from 'node:crypto';
import { createAudit } from '@temporal-kms/audit';
import { type CauseFrame, causeFrame, type RunCause } from '@temporal-kms/codec-api';
import { describe, expect, it, vi } from 'vitest';
import { HttpError } from '../../src/errors.ts';
import { createTemporalService } from '../../src/temporal/service.ts';
import { forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { post, recordedAudit } from '../support/stack.ts';
import { lines, NAMESPACE, runOf, startStack } from '../support/temporal.ts';
import { finish } from '../support/workflows.ts';

const SECRET = 'canary-cause-5d1c';
const prefix = `causes-${randomUUID()}`;
const FAILED = 12;
const query = `WorkflowId STARTS_WITH "${prefix}"`;

const stack = forFile(
  await startStack({
    // Makes Temporal report a problem after the first failed workflow task.
    dynamicConfig: { 'system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute': 1 },
  }),
);

type Route = 'causes' | 'decode-causes';
const ask = (route: Route, body: object, app = stack.app): Promise<Response> =>
  post(app, `/api/namespaces/${NAMESPACE}/workflows:${route}`, body);
const frames = async (route: Route, body: object, app = stack.app): Promise<CauseFrame[]> =>
  Array.fromAsync(lines(await ask(route, body, app), causeFrame));
const runs = (all: readonly CauseFrame[]): RunCause[] =>
  all.flatMap((frame) => (frame.type === 'run' ? [frame] : []));
const idsOf = (all: readonly CauseFrame[], type: string): Set<string> =>
  new Set(runs(all).flatMap(({ fingerprint: { id, parts } }) => (parts.type === type ? [id] : [])));

// Starts runs that fail with different ids in their messages, a run that is terminated, and a run that
// completes.
const failing = Array.from({ length: FAILED }, (_, n) =>
  stack.start('fails', [`${SECRET} of order-${n}`], { workflowId: `${prefix}-failed-${n}` }),
);
for (const handle of await Promise.all(failing)) await handle.result().catch(() => undefined);
const [terminated, completed] = await Promise.all(
  ['terminated', 'completed'].map((name) =>
    stack.start('waiting', [SECRET], { workflowId: `${prefix}-${name}` }),
  ),
);
await terminated!.terminate('a bad deployment');
await completed!.signal(finish, 'bye');
await completed!.result();
// Temporal updates its visibility store some time after a run has ended.
await vi.waitFor(
  async () =>
    expect((await frames('causes', { query }))[0]).toEqual({
      type: 'start',
      total: FAILED + 1,
      share: 1,
      failingTasks: true,
    }),
  { timeout: 20_000, interval: 500 },
);

describe('a request for the causes of failed runs', () => {
  it('returns types but no plaintext to a caller with only the permission `metadata`, and causes no audit entry', async () => {
    await using other = stack.kms.another();
    const { audit, entries } = recordedAudit();
    const before = stack.kms.emulator.calls.count('Decrypt');
    const response = await ask('causes', { query }, stack.replica({ audit, codec: other.codec }));
    const text = await response.text();
    expect(text).not.toContain(SECRET);
    const all = text
      .trim()
      .split('\n')
      .map((line) => causeFrame.parse(JSON.parse(line)));
    expect(runs(all)).toHaveLength(FAILED + 1);
    expect(runs(all).filter(({ message }) => message.status === 'locked')).toHaveLength(FAILED);
    expect(runs(all).find(({ status }) => status === 'Terminated')).toMatchObject({
      workflowId: `${prefix}-terminated`,
      fingerprint: { parts: { type: 'WorkflowTerminated' } },
      message: { status: 'readable', text: 'a bad deployment', encrypted: false },
    });
    expect(entries).toEqual([]);
    expect(stack.kms.emulator.calls.count('Decrypt')).toBe(before);
  });

  it('groups runs whose messages differ only in ids, with one Cloud KMS call per branch key', async () => {
    await using other = stack.kms.another();
    const before = stack.kms.emulator.calls.count('Decrypt');
    const all = await frames('decode-causes', { query }, stack.replica({ codec: other.codec }));
    const failed = runs(all).filter(({ status }) => status === 'Failed');
    expect(failed).toHaveLength(FAILED);
    expect(new Set(failed.map(({ fingerprint }) => fingerprint.id)).size).toBe(1);
    expect(failed[0]!.fingerprint.parts.shape).toBe('<number> of <number> inner');
    for (const { workflowId, message } of failed)
      expect(message).toEqual({
        status: 'readable',
        text: `${SECRET} of order-${workflowId.split('-').at(-1)} inner`,
        encrypted: true,
      });
    expect(failed[0]!.fingerprint.parts.frames[0]).toMatch(/ \(workflows\.ts\)$/);
    expect(idsOf(all, 'WorkflowTerminated').size).toBe(1);
    // The stack has a single worker, which has one branch key.
    expect(stack.kms.emulator.calls.count('Decrypt') - before).toBe(1);
    expect(all.at(-1)).toMatchObject({ type: 'end', reason: 'complete', runs: FAILED + 1, unreadable: {} });
  });

  it('continues after a position without repeating or skipping runs', async () => {
    const whole = runs(await frames('causes', { query })).map(({ runId }) => runId);
    const rest = await frames('causes', { query, after: `.${whole[4]}` });
    expect(runs(rest).map(({ runId }) => runId)).toEqual(whole.slice(5));
  });

  it('causes an audit entry, without plaintext, for each run whose payloads are decrypted', async () => {
    const { log, lines: logged } = keptLog();
    const { audit, entries } = recordedAudit();
    const body = { query, justification: 'ticket 17' };
    await frames('decode-causes', body, stack.replica({ log, audit }));
    const of = (event: string) => entries.filter((entry) => entry.event === event);
    expect(of('intent')).toHaveLength(FAILED);
    expect(of('outcome')).toHaveLength(FAILED);
    expect(new Set(of('intent').map(({ runId }) => runId)).size).toBe(FAILED);
    for (const entry of of('intent'))
      expect(entry).toMatchObject({
        operation: 'decode',
        justification: 'ticket 17',
        refs: expect.any(Array),
      });
    for (const entry of of('outcome'))
      expect(entry.outcome).toMatchObject({ result: 'complete', refused: {} });
    expect(JSON.stringify([entries, logged])).not.toContain(SECRET);
  });

  it('includes running workflows whose workflow task keeps failing', async () => {
    const handle = await stack.start('stuck', [], { workflowId: `failing-${randomUUID()}` });
    const { workflowId } = handle;
    const body = { query: `WorkflowId = "${workflowId}"` };
    await vi.waitFor(async () => expect((await frames('causes', body))[0]).toMatchObject({ total: 1 }), {
      timeout: 20_000,
      interval: 500,
    });
    expect(runs(await frames('causes', body))).toMatchObject([
      { workflowId, status: 'Running', failingSince: expect.any(String), message: { status: 'locked' } },
    ]);
    const { audit, entries } = recordedAudit();
    const open = runs(await frames('decode-causes', body, stack.replica({ audit })));
    expect(open).toMatchObject([
      {
        fingerprint: { parts: { place: 'workflow stuck', frames: [expect.stringMatching(/workflows\.ts/)] } },
        message: { text: 'This workflow task fails by design.', encrypted: true },
      },
    ]);
    expect(entries.map(({ event }) => event)).toEqual(['intent', 'outcome']);
    // A run that ends while its workflow task keeps failing has the same cause as before.
    await handle.terminate('no fix in time');
    await vi.waitFor(
      async () => {
        const [{ fingerprint, message } = {}] = open;
        expect(runs(await frames('decode-causes', body))).toMatchObject([
          { workflowId, status: 'Terminated', fingerprint, message },
        ]);
      },
      { timeout: 20_000, interval: 500 },
    );
  });

  it('leaves out running workflows if Temporal lacks the search attribute for such workflows', async () => {
    const temporal = createTemporalService(stack.connection);
    const count: typeof temporal.count = async (request, signal) => {
      if (request.query?.includes('TemporalReportedProblems'))
        throw new HttpError(400, 'bad_request', 'TemporalReportedProblems is not defined');
      return await temporal.count(request, signal);
    };
    const all = await frames('causes', { query }, stack.replica({ temporal: { ...temporal, count } }));
    expect(all[0]).toMatchObject({ total: FAILED + 1, failingTasks: false });
    expect(runs(all)).toHaveLength(FAILED + 1);
  });

  it('returns no plaintext of a run whose audit intent cannot be written', async () => {
    const audit = createAudit({
      write: async () => {
        throw new Error('the disk is full');
      },
    });
    const all = await frames('decode-causes', { query }, stack.replica({ audit }));
    expect(JSON.stringify(all)).not.toContain(SECRET);
    expect(all.at(-1)).toMatchObject({ type: 'end', reason: 'error' });
  });

  it.each([
    ['an unknown field', { messages: true }, 'bad_request'],
    ['a query that groups', { query: 'GROUP BY ExecutionStatus' }, 'invalid_query'],
    ['an invalid query', { query: 'Nonsense = ' }, 'invalid_query'],
    ['a query that closes the parenthesis', { query: 'WorkflowId = "a") OR (' }, 'invalid_query'],
    ['a position that the server did not return', { after: 'Zm9v.' }, 'bad_request'],
  ])('is refused with 400 for %s', async (_, body, code) => {
    for (const route of ['causes', 'decode-causes'] as const) {
      const response = await ask(route, body);
      expect([response.status, await response.json()]).toMatchObject([400, { error: { code } }]);
    }
  });

  it('may contain a query with ORDER BY, or a query in which these words are quoted', async () => {
    const [ordered] = await frames('causes', { query: `${query} order by StartTime DESC` });
    expect(ordered).toMatchObject({ total: FAILED + 1 });
    const [quoted] = await frames('causes', { query: 'WorkflowId = "a ORDER BY b"' });
    expect(quoted).toMatchObject({ total: 0 });
  });

  it('may select runs by id, as the dashboard’s column does, and leaves out runs that did not fail', async () => {
    const [one, two] = runs(await frames('causes', { query }));
    const { runId } = await runOf(completed!);
    const byId = `RunId IN ("${one!.runId}", "${two!.runId}", "${runId}")`;
    const all = await frames('causes', { query: byId });
    expect(all[0]).toMatchObject({ total: 2 });
    expect(new Set(runs(all).map((run) => run.runId))).toEqual(new Set([one!.runId, two!.runId]));
  });
});
