import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MinuteAggregator } from '../src/minute-aggregator.ts';

const MINUTE = 60_000;
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('MinuteAggregator', () => {
  it('reports suppressed events at the end of the minute, and then counts from zero again', () => {
    const flushed = vi.fn();
    const events = new MinuteAggregator<string>({ kinds: 2, flushed });
    expect(['a', 'a', 'a', 'b'].map((kind, n) => events.pass(kind, `${n}`, 2))).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect([events.has('a'), events.has('c'), events.hasRoom]).toEqual([true, false, false]);
    vi.advanceTimersByTime(MINUTE);
    expect(flushed.mock.calls).toEqual([[[expect.objectContaining({ first: '0', count: 1 })]]]);
    expect(events.has('a')).toBe(false);
  });
});
