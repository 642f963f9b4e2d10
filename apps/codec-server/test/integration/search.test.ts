import { type SearchFrame, searchFrame, type SearchHit } from '@temporal-kms/codec-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAccess } from '../../src/access/access.ts';
import { createAudit } from '../../src/audit/audit.ts';
import { createTemporalService } from '../../src/temporal/service.ts';
import { collect } from '../support/lines.ts';
import { silent } from '../support/silent.ts';
import { keptLog } from '../support/stack.ts';
import { get, history, lines, runOf, runPath, type Stack, startStack } from '../support/temporal.ts';
import { change, finish } from '../support/workflows.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

const SECRET = 'canary-7e02d1';
type Run = { workflowId: string; runId: string };

const ask = (run: Run, body: object, app = stack.app): Promise<Response> =>
  get(app, `${runPath(run)}/history:search`, { method: 'POST', body: JSON.stringify(body) });
const search = async (run: Run, body: object, app = stack.app): Promise<SearchFrame[]> =>
  collect(lines(await ask(run, body, app), searchFrame));
const places = (frames: SearchFrame[]): string[] =>
  hitsOf(frames).map(({ ref, pointer }) => `${ref} ${pointer}`);
const hitsOf = (frames: SearchFrame[]): SearchHit[] => frames.filter((frame) => frame.type === 'hit');

describe('a workflow that puts a secret everywhere', () => {
  let run: Run;
  let length: number;
  beforeAll(async () => {
    const handle = await stack.start('everywhere', [SECRET], {
      memo: { customer: { [`${SECRET} key`]: 1 } },
      staticSummary: `${SECRET} summary`,
    });
    run = await runOf(handle);
    await handle.executeUpdate(change, { args: [`${SECRET} update`] });
    await handle.signal(finish, `${SECRET} signal`);
    await handle.result();
    length = (await history(stack.app, run)).length;
  });

  test('is found in every place, newest first, each with its event, path and pointer', async () => {
    const frames = await search(run, { text: SECRET.toUpperCase() });
    const hits = hitsOf(frames);
    expect(hits.map(({ eventId }) => eventId)).toEqual(
      hits.map(({ eventId }) => eventId).toSorted((a, b) => b - a),
    );
    expect(new Set(hits.map(({ path }) => path))).toEqual(
      new Set([
        'input.payloads[0]',
        'result.payloads[0]',
        'details.result.payloads[0]',
        'memo.fields.customer',
        'memo.fields.parent',
        'userMetadata.summary',
        'acceptedRequest.input.args.payloads[0]',
        'outcome.success.payloads[0]',
        'upsertedMemo.fields.changed',
      ]),
    );
    const memo = hits.find(({ path }) => path === 'memo.fields.customer');
    expect(memo).toMatchObject({ eventId: 1, in: 'key', pointer: `/${SECRET} key`, key: { version: 1 } });
    expect(frames.at(-1)).toMatchObject({
      type: 'end',
      reason: 'complete',
      after: 1,
      events: length,
      hits: hits.length,
      unreadable: {},
    });
  });

  test('is told with its match alone: what stands beside it is masked', async () => {
    const frames = await search(run, { text: 'canary' });
    expect(hitsOf(frames).length).toBeGreaterThan(10);
    for (const { snippet } of hitsOf(frames)) expect(snippet.match).toBe('canary');
    const values = JSON.stringify(hitsOf(frames).map((hit) => ({ ...hit, pointer: '' })));
    expect(values).not.toContain('7e02d1');
  });

  test('is found in the same places oldest first', async () => {
    const newest = places(await search(run, { text: SECRET }));
    const oldest = places(await search(run, { text: SECRET, order: 'oldest_first' }));
    expect(oldest.toSorted()).toEqual(newest.toSorted());
    expect(Number(oldest[0]!.split(':')[0])).toBe(1);
  });

  test.each(['newest_first', 'oldest_first'] as const)('goes on %s behind the event told', async (order) => {
    const all = hitsOf(await search(run, { text: SECRET, order }));
    const after = all[3]!.eventId;
    const rest = hitsOf(await search(run, { text: SECRET, order, after }));
    const behind = ({ eventId }: SearchHit) => (order === 'newest_first' ? eventId < after : eventId > after);
    expect(rest).toEqual(all.filter(behind));
  });

  test('is not found by what is not there, and with another case only where case does not count', async () => {
    expect(hitsOf(await search(run, { text: 'no such text' }))).toEqual([]);
    expect(hitsOf(await search(run, { text: SECRET.toUpperCase(), caseSensitive: true }))).toEqual([]);
  });

  test('leaves the term in no audit line and no log line, and audits who searched what', async () => {
    const { log, lines: logged } = keptLog();
    const entries: any[] = [];
    const audit = createAudit({ write: async (entry) => void entries.push(entry) });
    await search(run, { text: SECRET, justification: 'ticket 17' }, stack.replica({ log, audit }));
    expect(JSON.stringify([entries, logged])).not.toContain(SECRET);
    expect(entries).toMatchObject([
      { event: 'intent', operation: 'search', ...run, justification: 'ticket 17' },
      { event: 'outcome', operation: 'search', outcome: { result: 'complete', refused: {} } },
    ]);
    expect(entries[1].outcome.payloads).toBeGreaterThan(10);
  });

  test.each([
    ['no text', {}],
    ['an empty text', { text: '' }],
    ['a text beyond 200 characters', { text: 'x'.repeat(201) }],
    ['a field that there is not', { text: 'x', regex: true }],
    ['an event that there is not', { text: 'x', after: 99_999 }],
    ['a negative event', { text: 'x', after: -1 }],
  ])('refuses %s with 400', async (_, body) => {
    const response = await ask(run, body);
    expect([response.status, await response.json()]).toMatchObject([400, { error: { code: 'bad_request' } }]);
  });

  test('needs a justification where the namespace opens on demand, before Temporal is asked', async () => {
    const access = { ...openAccess, reveal: () => 'on-demand' as const };
    const temporal: any = new Proxy({}, { get: (_, call) => expect.fail(`asked: ${String(call)}`) });
    const response = await ask(run, { text: SECRET }, stack.replica({ access, temporal }));
    expect([response.status, await response.json()]).toMatchObject([
      403,
      { error: { code: 'justification_required' } },
    ]);
    expect((await ask(run, { text: SECRET, justification: 'x' }, stack.replica({ access }))).status).toBe(
      200,
    );
  });

  test('ends with the sign-in, and says so', async () => {
    const access = {
      ...openAccess,
      authenticate: () => ({ name: 'ana', expiresAt: Date.now() + 150 }),
    };
    const temporal = createTemporalService(stack.connection);
    const entries: any[] = [];
    const audit = createAudit({ write: async (entry) => void entries.push(entry) });
    const app = stack.replica({ access, audit, temporal: { ...temporal, history: silent } });
    expect((await search(run, { text: SECRET }, app)).at(-1)).toMatchObject({ reason: 'signed_out' });
    expect(entries.at(-1)).toMatchObject({ event: 'outcome', outcome: { result: 'signed_out' } });
  });

  test('counts what can not be read, and finds the rest', async () => {
    await using other = stack.kms.another();
    stack.kms.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    const frames = await search(run, { text: 'canary' }, stack.replica({ codec: other.codec }));
    stack.kms.emulator.clearFaults();
    const end: any = frames.at(-1);
    expect(end).toMatchObject({ type: 'end', reason: 'complete', hits: 0 });
    expect(end.unreadable.kms_unavailable).toBeGreaterThan(10);
  });
});

test('stops the work when the reader goes away', async () => {
  const handle = await stack.start('ticks', [250]);
  const run = await runOf(handle);
  await handle.result();
  let opened = 0;
  let ended: any;
  const codec = new Proxy(stack.kms.codec, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]) => {
        if (name === 'open') opened += 1;
        return Reflect.apply(member, target, given);
      };
    },
  });
  const audit = createAudit({ write: async (entry) => void (ended = entry) });
  const app = stack.replica({ codec, audit });
  const response = await ask(run, { text: 'tick', order: 'oldest_first' }, app);
  const reader = response.body!.getReader();
  await reader.read();
  await reader.cancel();
  await expect.poll(() => ended?.event).toBe('outcome');
  expect(ended.outcome.result).toBe('cut_off');
  const soFar = opened;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(opened).toBe(soFar);
  expect(opened).toBeLessThan(500);
});
