import { randomUUID } from 'node:crypto';
import { createAudit } from '@temporal-kms/audit';
import { type RunFieldsFrame, runFieldsFrame, workflowList } from '@temporal-kms/codec-api';
import { whatDiffers } from '@temporal-kms/histories/why';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { keys, post, recordedAudit, text } from '../support/stack.ts';
import { get, lines, NAMESPACE, plantRun, startStack, TASK_QUEUE } from '../support/temporal.ts';

const SECRET = 'canary-7be210';
const prefix = `fields-${randomUUID()}`;
const EACH = 20;
const setOf = (name: string) => `WorkflowId STARTS_WITH "${prefix}-${name}"`;
const all = `WorkflowId STARTS_WITH "${prefix}"`;

const stack = forFile(await startStack());
const WORKFLOWS = `/api/namespaces/${NAMESPACE}/workflows`;

const postFields = (body: object, { app = stack.app, route = 'decode-fields' } = {}) =>
  post(app, `${WORKFLOWS}:${route}`, body);
const read = async (body: object, options?: Parameters<typeof postFields>[1]): Promise<RunFieldsFrame[]> =>
  Array.fromAsync(lines(await postFields(body, options), runFieldsFrame));
const runsOf = (frames: RunFieldsFrame[]) => frames.flatMap((frame) => (frame.type === 'run' ? [frame] : []));
const endOf = (frames: RunFieldsFrame[]) => frames.findLast((frame) => frame.type === 'end');

/** The input of each run, by workflow id. The two sets intentionally differ only in the country. */
const inputs = new Map(
  ['first', 'second'].flatMap((name) =>
    Array.from({ length: EACH }, (_, n) => [
      `${prefix}-${name}-${n}`,
      { country: name === 'first' ? 'CZ' : 'DE', amount: (n * 7) % 20, customer: `${SECRET} ${n}` },
    ]),
  ),
);
beforeAll(async () => {
  const handles = [...inputs].map(([workflowId, input]) =>
    stack.start('child', [input, n(workflowId)], { workflowId, memo: { tier: n(workflowId) % 2 } }),
  );
  for (const handle of await Promise.all(handles)) await handle.result();
  // Temporal updates its visibility store some time after a run has ended.
  const completed = `${all} AND ExecutionStatus = "Completed"`;
  await vi.waitFor(
    async () => expect(endOf(await read({ query: completed }))).toMatchObject({ runs: EACH * 2 }),
    { timeout: 20_000, interval: 500 },
  );
});
const n = (workflowId: string) => Number(workflowId.split('-').at(-1));

describe('run fields for a query', () => {
  it('contain the decrypted input and memo and the values recorded by Temporal, in the same order as the list of workflows', async () => {
    const response = await get(stack.app, `${WORKFLOWS}?query=${encodeURIComponent(all)}`);
    const { workflows } = workflowList.parse(await response.json());
    const frames = await read({ query: all });
    expect(runsOf(frames).map(({ runId }) => runId)).toEqual(workflows.map(({ runId }) => runId));
    for (const [index, { workflowId, fields, unreadable }] of runsOf(frames).entries()) {
      const listed = workflows[index]!;
      const start = new Date(listed.startTime!);
      const { country, amount, customer } = inputs.get(workflowId)!;
      expect(fields).toMatchObject({
        'input.country': country,
        'input.amount': amount,
        'input.customer': customer,
        'input.customer.length': customer.length,
        input2: n(workflowId),
        'memo.tier': n(workflowId) % 2,
        type: 'child',
        queue: TASK_QUEUE,
        parent: false,
        attempt: 1,
        hour: start.getUTCHours(),
        worker: expect.stringContaining(`${process.pid}@`),
        build: expect.stringMatching(/./),
        sdk: expect.stringMatching(/^temporal-typescript \d/),
        key: keys.payments,
        keyVersion: 1,
        inputBytes: expect.any(Number),
        duration: new Date(listed.closeTime!).getTime() - start.getTime(),
        historyEvents: listed.historyLength,
        historyBytes: listed.historySizeBytes,
      });
      expect(unreadable).toEqual({});
    }
    expect(endOf(frames)).toMatchObject({ reason: 'complete', runs: EACH * 2, failed: 0 });
  });

  it('reveal the planted difference between two sets of runs', async () => {
    const [first = [], second = []] = await Promise.all(
      ['first', 'second'].map(async (name) =>
        runsOf(await read({ query: setOf(name) })).map(({ fields }) => fields),
      ),
    );
    expect(whatDiffers(first, second).differences.slice(0, 3)).toContainEqual(
      expect.objectContaining({ field: 'input.country', value: 'CZ', first: EACH, second: 0 }),
    );
  });

  it('contain no plaintext if the caller requests no decryption, and then cause no audit entry or Cloud KMS call', async () => {
    const { audit, entries } = recordedAudit();
    const app = stack.replica({ audit });
    const frames = await read({ query: all }, { app, route: 'fields' });
    expect(runsOf(frames)).toHaveLength(EACH * 2);
    expect(runsOf(frames)[0]!.fields).toMatchObject({ queue: TASK_QUEUE, keyVersion: 1 });
    expect(Object.keys(runsOf(frames)[0]!.fields).join()).not.toMatch(/input\.|input2|memo/);
    expect(JSON.stringify(frames)).not.toContain(SECRET);
    expect(endOf(frames)).toMatchObject({ kmsCalls: 0 });
    expect(entries).toEqual([]);
    const refused = await postFields({ justification: 'ticket 17' }, { app, route: 'fields' });
    expect(refused.status).toBe(400);
  });

  it('are decrypted and audited only for the runs that are sent, and the next request continues after the last run', async () => {
    const { log, lines: logged } = keptLog();
    const { audit, entries } = recordedAudit();
    const app = stack.replica({ log, audit });
    const some = await read({ query: all, runs: 5, justification: 'ticket 17' }, { app });
    expect(runsOf(some)).toHaveLength(5);
    expect(endOf(some)).toMatchObject({ reason: 'limit', runs: 5 });
    const of = (event: string) => entries.filter((entry) => entry.event === event);
    // Several runs are read at a time.
    expect(new Set(of('intent').map(({ runId }) => runId))).toEqual(
      new Set(runsOf(some).map(({ runId }) => runId)),
    );
    expect(of('intent')).toHaveLength(5);
    for (const entry of of('intent'))
      expect(entry).toMatchObject({
        operation: 'decode',
        justification: 'ticket 17',
        refs: [expect.stringMatching(/^1:/), expect.stringMatching(/^1:/), expect.stringMatching(/^1:/)],
      });
    // The three payloads are the input's two arguments and the memo.
    for (const entry of of('outcome'))
      expect(entry.outcome).toMatchObject({ result: 'complete', payloads: 3, refused: {} });
    expect(of('outcome')).toHaveLength(5);
    expect(JSON.stringify([entries, logged])).not.toContain(SECRET);

    const rest = await read({ query: all, after: endOf(some)!.after }, { app });
    expect(endOf(rest)).toMatchObject({ reason: 'complete', runs: EACH * 2 - 5 });
    expect(new Set([...runsOf(some), ...runsOf(rest)].map(({ runId }) => runId)).size).toBe(EACH * 2);
  });

  it('are read for a sample only if the run closed within the sample’s times', async () => {
    const closed = runsOf(await read({ query: all }))
      .map(({ startTime, fields }) => Date.parse(startTime!) + Number(fields['duration']))
      .toSorted((a, b) => a - b);
    // Temporal's times are more precise than milliseconds, so the limits are between two runs.
    const between = (index: number) => (closed[index - 1]! + closed[index]!) / 2;
    const gaps = closed.flatMap((at, index) => (index > 0 && at - closed[index - 1]! > 3 ? [index] : []));
    const [from, until] = [gaps[0]!, gaps.at(-1)!];
    expect(until).toBeGreaterThan(from);
    const sample = { from: Math.round(between(from)), until: [Math.round(between(until))] };
    expect(endOf(await read({ query: all, sample }))).toMatchObject({
      reason: 'complete',
      runs: until - from,
    });
  });

  it('are not decrypted if the audit intent cannot be written', async () => {
    const audit = createAudit({
      write: async () => {
        throw new Error('the disk is full');
      },
    });
    const frames = await read({ query: all }, { app: stack.replica({ audit }) });
    expect(runsOf(frames)).toEqual([]);
    expect(endOf(frames)).toMatchObject({ reason: 'error', runs: 0 });
  });

  it('contain the reason code of an input that cannot be decrypted, and only the encoding and length of an input that is not JSON', async () => {
    const workflowId = `planted-${randomUUID()}`;
    await plantRun(
      stack,
      [
        { metadata: { encoding: text('binary/encrypted') }, data: text(`${SECRET} not encrypted`) },
        { metadata: { encoding: text('binary/plain') }, data: text(SECRET) },
      ],
      { workflowId },
    );
    const query = `WorkflowId = "${workflowId}"`;
    await vi.waitFor(async () => expect(runsOf(await read({ query }))).toHaveLength(1), {
      timeout: 20_000,
      interval: 500,
    });
    const [run] = runsOf(await read({ query }));
    const [reason] = Object.keys(run!.unreadable);
    expect(run).toMatchObject({
      fields: {
        'input.unreadable': reason,
        'input2.encoding': 'binary/plain',
        'input2.length': SECRET.length,
      },
      unreadable: { [reason!]: 1 },
    });
    expect(JSON.stringify(run)).not.toContain(SECRET);
    expect(run!.fields).not.toHaveProperty('duration');
    expect(run!.fields).not.toHaveProperty('worker');
  });

  it.each([
    ['too many runs', { runs: 201 }, 'bad_request'],
    ['an unknown field', { limit: 5 }, 'bad_request'],
    ['a sample without times', { sample: { from: 0, until: [] } }, 'bad_request'],
    ['an invalid query', { query: 'Nonsense = ' }, 'invalid_query'],
    ['a position that the server did not return', { after: 'Zm9v.' }, 'bad_request'],
  ])('are refused with 400 for %s', async (_, body, code) => {
    for (const route of ['fields', 'decode-fields']) {
      const response = await postFields(body, { route });
      expect([response.status, await response.json()]).toMatchObject([400, { error: { code } }]);
    }
  });
});
