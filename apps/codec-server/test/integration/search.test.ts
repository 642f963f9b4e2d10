import { setTimeout as sleep } from 'node:timers/promises';
import { createAudit } from '@temporal-kms/audit';
import { type SearchFrame, searchFrame, type SearchHit } from '@temporal-kms/codec-api';
import { beforeAll, describe, expect, it } from 'vitest';
import { forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { recordedAudit } from '../support/stack.ts';
import { history, lines, postTo, type Run, runEverywhere, runOf, startStack } from '../support/temporal.ts';

const stack = forFile(await startStack());

const SECRET = 'canary-7e02d1';

const postSearch = (run: Run, body: object, app = stack.app): Promise<Response> =>
  postTo(app, run, 'history:search', body);
const search = async (run: Run, body: object, app = stack.app): Promise<SearchFrame[]> =>
  Array.fromAsync(lines(await postSearch(run, body, app), searchFrame));
const places = (frames: SearchFrame[]): string[] =>
  hitsOf(frames).map(({ ref, pointer }) => `${ref} ${pointer}`);
const hitsOf = (frames: SearchFrame[]): SearchHit[] => frames.filter((frame) => frame.type === 'hit');

describe('a search for a secret that is in every payload', () => {
  let run: Run;
  let length: number;
  beforeAll(async () => {
    run = await runEverywhere(stack, SECRET, { memo: { customer: { [`${SECRET} key`]: 1 } } });
    length = (await history(stack.app, run)).length;
  });

  it('finds the text in every place, newest first, with event, path and pointer', async () => {
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
      kmsCalls: expect.any(Number),
      unreadable: {},
    });
  });

  it('returns only the matching text, and masks the text around it', async () => {
    const frames = await search(run, { text: 'canary' });
    expect(hitsOf(frames).length).toBeGreaterThan(10);
    for (const { snippet } of hitsOf(frames)) expect(snippet.match).toBe('canary');
    const values = JSON.stringify(hitsOf(frames).map((hit) => ({ ...hit, pointer: '' })));
    expect(values).not.toContain('7e02d1');
  });

  it('finds the same places oldest first', async () => {
    const newest = places(await search(run, { text: SECRET }));
    const oldest = places(await search(run, { text: SECRET, order: 'oldest_first' }));
    expect(oldest.toSorted()).toEqual(newest.toSorted());
    expect(Number(oldest[0]!.split(':')[0])).toBe(1);
  });

  it.each(['newest_first', 'oldest_first'] as const)(
    'continues after the given event with the order %s',
    async (order) => {
      const all = hitsOf(await search(run, { text: SECRET, order }));
      const after = all[3]!.eventId;
      const rest = hitsOf(await search(run, { text: SECRET, order, after }));
      const isAfter = ({ eventId }: SearchHit) =>
        order === 'newest_first' ? eventId < after : eventId > after;
      expect(rest).toEqual(all.filter(isAfter));
    },
  );

  it('finds nothing for text that no payload contains, or for text in a different case if the search is case-sensitive', async () => {
    expect(hitsOf(await search(run, { text: 'no such text' }))).toEqual([]);
    expect(hitsOf(await search(run, { text: SECRET.toUpperCase(), caseSensitive: true }))).toEqual([]);
  });

  it('is audited with the run and the justification, and its text is in neither the audit nor the log', async () => {
    const { log, lines: logged } = keptLog();
    const { audit, entries } = recordedAudit();
    await search(run, { text: SECRET, justification: 'ticket 17' }, stack.replica({ log, audit }));
    expect(JSON.stringify([entries, logged])).not.toContain(SECRET);
    expect(entries).toMatchObject([
      { event: 'intent', operation: 'search', ...run, justification: 'ticket 17' },
      { event: 'outcome', operation: 'search', outcome: { result: 'complete', refused: {} } },
    ]);
    expect(entries[1]!.outcome!.payloads).toBeGreaterThan(10);
  });

  it.each([
    ['no text', {}],
    ['an empty text', { text: '' }],
    ['a text beyond 200 characters', { text: 'x'.repeat(201) }],
    ['an unknown field', { text: 'x', regex: true }],
    ['an event that the run does not have', { text: 'x', after: 99_999 }],
    ['a negative event id', { text: 'x', after: -1 }],
  ])('gets 400 for %s', async (_, body) => {
    const response = await postSearch(run, body);
    expect([response.status, await response.json()]).toMatchObject([400, { error: { code: 'bad_request' } }]);
  });

  it('counts payloads that cannot be decrypted', async () => {
    await using other = stack.kms.another();
    stack.kms.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    const frames = await search(run, { text: 'canary' }, stack.replica({ codec: other.codec }));
    stack.kms.emulator.clearFaults();
    const end: any = frames.at(-1);
    expect(end).toMatchObject({ type: 'end', reason: 'complete', hits: 0 });
    expect(end.unreadable.kms_unavailable).toBeGreaterThan(10);
  });
});

it('stops decrypting when the client disconnects', async () => {
  const handle = await stack.start('ticks', [250]);
  const run = await runOf(handle);
  await handle.result();
  let decrypted = 0;
  let ended: any;
  const codec = new Proxy(stack.kms.codec, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]) => {
        if (name === 'decrypt') decrypted += 1;
        return Reflect.apply(member, target, given);
      };
    },
  });
  const audit = createAudit({ write: async (entry) => void (ended = entry) });
  const app = stack.replica({ codec, audit });
  const response = await postSearch(run, { text: 'tick', order: 'oldest_first' }, app);
  const reader = response.body!.getReader();
  await reader.read();
  await reader.cancel();
  await expect.poll(() => ended?.event).toBe('outcome');
  expect(ended.outcome.result).toBe('cut_off');
  const soFar = decrypted;
  await sleep(200);
  expect(decrypted).toBe(soFar);
  expect(decrypted).toBeLessThan(500);
});
