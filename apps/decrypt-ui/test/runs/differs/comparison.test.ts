import type { DecodeFieldsRequest, ReasonCounts, RunFieldsFrame } from '@temporal-kms/codec-api';
import { whatDiffers } from '@temporal-kms/histories/why';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createPlaintextCache } from '../../../src/payloads/reveal/plaintext-cache.ts';
import { createReveals } from '../../../src/payloads/reveal/reveals.ts';
import { createComparisons } from '../../../src/runs/differs/comparison.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const namespace = 'cards';
const sets = { namespace, queries: ['a', 'b'], decoded: true } as const;

type Reason = Extract<RunFieldsFrame, { type: 'end' }>['reason'];

const runFrame = (n: number, unreadable: ReasonCounts = {}): RunFieldsFrame => ({
  type: 'run',
  workflowId: 'w',
  runId: `r${n}`,
  fields: { 'input.n': n },
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

/** A comparison whose server answers each request with the next lines, and every later request with the last lines. */
function setUp(...answers: readonly (readonly RunFieldsFrame[])[]) {
  const plaintext = createPlaintextCache();
  const access = { can: () => true, reveal: () => 'on-demand' as const };
  const reveals = createReveals({ access, plaintext });
  const asked: DecodeFieldsRequest[] = [];
  async function* decodeFields(_: string, body: DecodeFieldsRequest): AsyncGenerator<RunFieldsFrame> {
    const earlier = asked.filter(({ query }) => query === body.query).length;
    asked.push(body);
    yield* answers[Math.min(earlier, answers.length - 1)] ?? [];
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
  it('is dropped when the reveal on which it is based ends, even if another reveal is open', async () => {
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
