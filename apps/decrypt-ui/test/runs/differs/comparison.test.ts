import type { DecodeFieldsRequest, ReasonCounts, RunFieldsFrame } from '@temporal-kms/codec-api';
import { whatDiffers } from '@temporal-kms/histories/why';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createPlaintextCache } from '../../../src/payloads/reveal/plaintext-cache.ts';
import { createReveals } from '../../../src/payloads/reveal/reveals.ts';
import { createComparisons } from '../../../src/runs/differs/comparison.ts';
import { comparedRuns, spanOf } from '../../../src/runs/differs/read-set.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const namespace = 'cards';
const sets = { namespace, queries: ['a', 'b'], decoded: true } as const;

type Reason = Extract<RunFieldsFrame, { type: 'end' }>['reason'];

const runFrame = (n: number, unreadable: ReasonCounts = {}, start?: number): RunFieldsFrame => ({
  type: 'run',
  workflowId: 'w',
  runId: `r${n}`,
  startTime: start === undefined ? undefined : new Date(start).toISOString(),
  fields: { 'input.n': n, ...(start !== undefined && { duration: 1000 }) },
  unreadable,
  after: `.r${n}`,
});
const endFrame = (reason: Reason): RunFieldsFrame => ({
  type: 'end',
  reason,
  runs: 2,
  failed: 0,
  kmsCalls: 1,
  after: '.r2',
});

type Answer = readonly RunFieldsFrame[] | ((body: DecodeFieldsRequest) => readonly RunFieldsFrame[]);

/** Returns a comparison. For each query, the server gives the answers in turn, and then repeats the last answer. */
function setUp(...answers: readonly Answer[]) {
  const plaintext = createPlaintextCache();
  const access = { can: () => true, reveal: () => 'on-demand' as const };
  const reveals = createReveals({ access, plaintext });
  const asked: DecodeFieldsRequest[] = [];
  async function* decodeFields(_: string, body: DecodeFieldsRequest): AsyncGenerator<RunFieldsFrame> {
    const earlier = asked.filter(({ query }) => query === body.query).length;
    asked.push(body);
    const answer = answers[Math.min(earlier, answers.length - 1)] ?? [];
    yield* typeof answer === 'function' ? answer(body) : answer;
  }
  const comparisons = createComparisons({
    api: { decodeFields, fields: decodeFields },
    reveals,
    plaintext,
    differencesOf: (first, second) => Promise.resolve(whatDiffers(first, second)),
  });
  const reveal = (justification: string, minutes: number) =>
    reveals.reveal({ target: { kind: 'namespace', namespace }, name: 'x', minutes, justification });
  const comparison = () => comparisons.store.getState().comparison;
  return { asked, comparisons, reveal, comparison };
}

describe('a comparison with payloads', () => {
  it('is dropped when the reveal that it depends on ends, even if another reveal is open', async () => {
    const { asked, comparisons, reveal, comparison } = setUp([runFrame(1), endFrame('shutdown')]);
    reveal('PAY-1', 5);
    comparisons.start(sets);
    await vi.advanceTimersByTimeAsync(1000);
    expect(comparison()?.result).toBeDefined();
    reveal('PAY-2', 30);
    comparisons.resume();
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked.map(({ justification }) => justification)).toEqual(Array.from({ length: 4 }, () => 'PAY-1'));
    await vi.advanceTimersByTimeAsync(5 * 60_000);
    expect(comparison()).toBeUndefined();
    comparisons.start(sets);
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked.at(-1)?.justification).toBe('PAY-2');
  });

  it('sends no request after the reveal has ended, even if the timer of the reveal is late', async () => {
    const { asked, comparisons, reveal, comparison } = setUp([runFrame(1), endFrame('shutdown')]);
    reveal('PAY-1', 5);
    comparisons.start(sets);
    await vi.advanceTimersByTimeAsync(1000);
    reveal('PAY-2', 30);
    vi.setSystemTime(Date.now() + 6 * 60_000);
    comparisons.resume();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toHaveLength(2);
    expect(comparison()).toBeUndefined();
  });

  it('keeps only one copy of a run that the server repeats, and counts each unreadable payload', async () => {
    const first = [runFrame(1), runFrame(2, { key_not_found: 2, too_large: 1 }), endFrame('limit')];
    const second = [runFrame(2, { key_not_found: 2, too_large: 1 }), runFrame(3), endFrame('complete')];
    const { comparisons, reveal, comparison } = setUp(first, second);
    reveal('PAY-1', 5);
    comparisons.start(sets);
    await vi.advanceTimersByTimeAsync(1000);
    const [a] = comparison()?.sets ?? [];
    expect([...(a?.runs.keys() ?? [])]).toEqual(['r1', 'r2', 'r3']);
    expect(a?.unreadable).toBe(3);
    expect(comparison()?.result?.sizes).toEqual([3, 3]);
  });
});

describe('a comparison with more runs than are read', () => {
  const [NOW, HOUR] = [Date.UTC(2027, 0, 10), 3_600_000];
  /** Runs that started at intervals of `distance`, the latest one now. */
  const runs = (count: number, distance: number, end: Reason) => [
    ...Array.from({ length: count }, (_, n) => runFrame(n, {}, NOW - n * distance)),
    endFrame(end),
  ];
  const failed = runs(60, HOUR, 'complete');
  const newest = runs(200, 1000, 'limit');
  const open = { ...sets, decoded: false };

  it('rereads the set only once, and then reads runs from the times of the other set', async () => {
    const { asked, comparisons, comparison } = setUp(({ query, sample }) =>
      query === 'a' ? failed : sample ? runs(25, HOUR, 'complete') : newest,
    );
    comparisons.start(open);
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked).toHaveLength(3);
    const { sample, ...body } = asked[2]!;
    expect(body).toEqual({ query: 'b', runs: 200 });
    expect(sample!.until).toHaveLength(20);
    expect([sample!.until[0], sample!.from]).toEqual([NOW + 1000, expect.closeTo(NOW - 62 * HOUR, -7)]);
    expect(comparison()?.result?.sizes).toEqual([60, 25]);
    comparisons.resume();
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked).toHaveLength(3);
  });

  // The server selects runs by their close time, so all sampled runs may have started after the runs of the other set.
  it.each<[what: string, sampled: readonly RunFieldsFrame[]]>([
    ['no run', [endFrame('complete')]],
    ['few runs', runs(3, HOUR, 'complete')],
    [
      'only runs that started after the other set’s runs',
      [...Array.from({ length: 40 }, (_, n) => runFrame(n, {}, NOW + 40 - n)), endFrame('complete')],
    ],
  ])('compares the newest runs if the sample contains %s', async (_, sampled) => {
    const { asked, comparisons, comparison } = setUp(({ query, sample }) =>
      query === 'a' ? failed : sample ? sampled : newest,
    );
    comparisons.start(open);
    await vi.advanceTimersByTimeAsync(1000);
    expect(comparison()?.result?.sizes).toEqual([60, 200]);
    expect(comparison()?.sets[1]).toMatchObject({ kmsCalls: 2 });
    comparisons.resume();
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked).toHaveLength(3);
  });

  it('if one set was not read to its end, compares only runs from the period that both sets cover', async () => {
    const { comparisons, comparison } = setUp(({ query }) =>
      query === 'a' ? failed : [...newest.slice(0, 100), endFrame('error')],
    );
    comparisons.start(open);
    await vi.advanceTimersByTimeAsync(1000);
    expect(comparison()?.result?.sizes).toEqual([1, 100]);
    const [a, b] = comparedRuns(comparison()!.sets);
    expect([spanOf(a), spanOf(b)]).toEqual([
      [NOW, NOW],
      [NOW - 99_000, NOW],
    ]);
  });
});
