import { describe, expect, it } from 'vitest';
import { durationsOf } from '../../src/why/facts/usual.ts';

describe('durationsOf', () => {
  // The expected values are from statistics.median and math.ceil(0.95 * n) of Python 3.12.
  it.each([
    [[7], { count: 1, shortest: 7, median: 7, p95: 7, longest: 7 }],
    [[10, 9], { count: 2, shortest: 9, median: 9.5, p95: 10, longest: 10 }],
    [[100, 20, 3], { count: 3, shortest: 3, median: 20, p95: 100, longest: 100 }],
    [
      Array.from({ length: 50 }, (_, index) => ((index * 37) % 50) * 100),
      { count: 50, shortest: 0, median: 2450, p95: 4700, longest: 4900 },
    ],
    [
      Array.from({ length: 20 }, (_, index) => 20 - index),
      { count: 20, shortest: 1, median: 10.5, p95: 19, longest: 20 },
    ],
  ])('summarizes %j', (millis, expected) => {
    expect(durationsOf(millis)).toEqual(expected);
  });

  it('sorts durations as numbers and not as text, and does not change its input', () => {
    const millis = [9, 1000, 10];
    expect(durationsOf(millis)?.median).toBe(10);
    expect(millis).toEqual([9, 1000, 10]);
  });

  it('returns undefined if there are no durations', () => {
    expect(durationsOf([])).toBeUndefined();
  });
});
