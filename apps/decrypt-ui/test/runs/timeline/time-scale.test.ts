import { describe, expect, test } from 'vitest';
import {
  createTimeScale,
  endOfOpen,
  idleGaps,
  offsetFrom,
  ticks,
} from '../../../src/runs/timeline/time-scale.ts';

const timesOf = (...events: number[]) => ({ events, busy: [] });
const scaleOf = (times: number[], width = 1000, collapse = true) =>
  createTimeScale({ from: times[0]!, to: times.at(-1)!, times: timesOf(...times), width, collapse });

describe('idle time', () => {
  test('is an interval without events that lasts at least a tenth of the run', () => {
    expect(idleGaps(timesOf(0, 10_000, 20_000, 900_000, 1_000_000), 0, 1_000_000)).toEqual([
      { from: 20_000, to: 900_000 },
      { from: 900_000, to: 1_000_000 },
    ]);
    expect(idleGaps(timesOf(0, 99_000, 198_000, 297_000), 0, 1_000_000)).toEqual([
      { from: 297_000, to: 1_000_000 },
    ]);
  });

  test('is at least ten seconds long, even in a short run', () => {
    expect(idleGaps(timesOf(0, 10, 9000), 0, 9500)).toEqual([]);
    expect(idleGaps(timesOf(0, 10, 10_010), 0, 10_500)).toEqual([{ from: 10, to: 10_010 }]);
  });

  test('is at least as long as the caller’s minimum', () => {
    expect(idleGaps({ ...timesOf(0, 10, 10_010), minIdle: 60_000 }, 0, 10_500)).toEqual([]);
    expect(idleGaps({ ...timesOf(0, 10, 60_010), minIdle: 60_000 }, 0, 60_500)).toEqual([
      { from: 10, to: 60_010 },
    ]);
  });

  test('does not include an activity in progress', () => {
    const events = [0, 10_000, 900_000, 1_000_000];
    expect(idleGaps({ events, busy: [{ from: 10_000, to: 900_000 }] }, 0, 1_000_000)).toEqual([
      { from: 900_000, to: 1_000_000 },
    ]);
    expect(idleGaps({ events: [0, 10], busy: [{ from: 10, to: Infinity }] }, 0, 1_000_000)).toEqual([]);
  });
});

/** Times from 0 to `to`, one per step. */
const each = (step: number, to: number) => Array.from({ length: to / step }, (_, index) => index * step);

describe('the end of an open run’s scale', () => {
  const SECOND = 1000;
  const HOUR = 3_600 * SECOND;
  /** Returns how often the end moves in a minute, and the maximum time (ms) by which it is ahead of the present. */
  function minute(times: readonly number[], begin: number, collapse = true) {
    const ends = new Set<number>();
    let ahead = 0;
    for (let now = begin; now < begin + 60 * SECOND; now += SECOND) {
      const end = endOfOpen({ times: { events: times, busy: [] }, now, width: 900, collapse });
      expect(end).toBeGreaterThanOrEqual(now);
      ends.add(end);
      ahead = Math.max(ahead, end - now);
    }
    return { moves: ends.size, ahead };
  }

  test('moves every second while a second is a large part of the run', () => {
    expect(minute(each(SECOND, 60 * SECOND), 3 * SECOND)).toEqual({ moves: 60, ahead: 0 });
  });

  test('moves every eight seconds in a longer run, and is less than eight seconds ahead of the present', () => {
    const { moves, ahead } = minute(each(SECOND, 700 * SECOND), 600 * SECOND);
    expect(moves).toBeLessThan(10);
    expect(ahead).toBeLessThan(8 * SECOND);
  });

  test('moves less than three times per minute in a long run', () => {
    expect(minute(each(60 * SECOND, 72 * HOUR), 72 * HOUR).moves).toBeLessThan(3);
  });

  test('depends only on the time since the last collapsed gap', () => {
    const recent = each(SECOND, 130 * SECOND).map((time) => 72 * HOUR + time);
    const begin = recent.at(-1)!;
    expect(minute([0, ...recent], begin).ahead).toBeLessThan(8 * SECOND);
    expect(minute([0, ...recent], begin, false).ahead).toBeGreaterThan(60 * SECOND);
  });

  test('moves rarely while a run waits', () => {
    expect(minute([0, 10, 20], 72 * HOUR).moves).toBeLessThan(3);
  });
});

describe('the scale', () => {
  test('gives a gap 48 px, and divides the rest of the width in proportion to time', () => {
    const scale = scaleOf([0, 50, 100, 10_100, 10_150, 10_200]);
    expect(scale.gaps).toHaveLength(1);
    expect(scale.gaps[0]).toMatchObject({ from: 100, to: 10_100, width: 48 });
    expect(scale.x(100)).toBeCloseTo(476);
    expect(scale.x(10_100)).toBeCloseTo(524);
    expect(scale.x(10_200)).toBeCloseTo(1000);
    expect(scale.x(50)).toBeCloseTo(238);
  });

  test('converts pixels back to time', () => {
    const scale = scaleOf([0, 50, 100, 10_100, 10_150, 10_200]);
    for (const time of [0, 30, 100, 5000, 10_100, 10_180, 10_200])
      expect(scale.time(scale.x(time))).toBeCloseTo(time);
  });

  test('returns pixels that never decrease over time, and stay within the width', () => {
    const scale = scaleOf([0, 5, 80, 4000, 4100, 90_000, 90_020], 292);
    let before = -1;
    for (let time = -500; time <= 91_000; time += 37) {
      const x = scale.x(time);
      expect(x).toBeGreaterThanOrEqual(Math.max(before, 0));
      expect(x).toBeLessThanOrEqual(292);
      before = x;
    }
  });

  test('collapses only the longest gaps if all gaps would take more than half the width', () => {
    const scale = scaleOf(
      [0, 1, 200, 201, 500, 501, 700, 701, 1000].map((time) => time * 100),
      200,
    );
    expect(scale.gaps).toHaveLength(2);
    expect(scale.gaps.map(({ from }) => from)).toEqual([20_100, 70_100]);
  });

  test('does not collapse a run that consists only of gaps', () => {
    expect(scaleOf([0, 20_000, 40_000]).gaps).toEqual([]);
    expect(scaleOf([0, 20_000, 40_000]).x(20_000)).toBeCloseTo(500);
  });

  test('draws idle time at full length on request, and draws a run without duration at the left edge', () => {
    expect(scaleOf([0, 1, 100_000], 1000, false).gaps).toEqual([]);
    expect(scaleOf([5], 100).x(5)).toBe(0);
  });
});

test('has ticks at round offsets from the end of the last gap, with space between them', () => {
  const scale = scaleOf([0, 2000, 4000, 4_000_000, 4_020_000, 4_060_000], 800);
  const found = ticks(scale, 0, scale.gaps);
  expect(found.length).toBeGreaterThan(2);
  for (const [index, tick] of found.entries()) {
    expect(tick.afterGap).toBe(tick.at > 4000);
    expect(tick.at - tick.offset).toBe(tick.afterGap ? 4_000_000 : 0);
    expect(tick.offset % 1000).toBe(0);
    const next = found[index + 1];
    if (next) expect(next.x - tick.x).toBeGreaterThan(60);
  }
});

test('counts an offset from the end of the previous gap, except for an event at exactly that time', () => {
  const gaps = [{ from: 100, to: 5000 }];
  expect(offsetFrom(80, 0, gaps)).toEqual({ offset: 80, afterGap: false });
  expect(offsetFrom(5000, 0, gaps)).toEqual({ offset: 5000, afterGap: false });
  expect(offsetFrom(5400, 0, gaps)).toEqual({ offset: 400, afterGap: true });
});
