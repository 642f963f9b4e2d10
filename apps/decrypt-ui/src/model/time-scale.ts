/** Idle time of at least this share of the whole is collapsed. */
const IDLE_SHARE = 0.1;
/** Shorter waits are left as they are: a break would hide more than it saves, and a young run would flicker. */
const IDLE_LEAST = 10_000;
/** Width of a collapsed idle gap, in CSS pixels. */
const GAP_WIDTH = 48;

interface Gap {
  readonly from: number;
  readonly to: number;
  readonly left: number;
  readonly width: number;
}

interface Segment {
  readonly from: number;
  readonly to: number;
  readonly left: number;
  readonly width: number;
  readonly idle: boolean;
}

export interface TimeScale {
  readonly from: number;
  readonly to: number;
  readonly width: number;
  readonly gaps: readonly Gap[];
  /** Parts between gaps, where time runs evenly. */
  readonly parts: readonly Segment[];
  /** Pixels from the left edge, clamped to it and to the right edge. */
  x(millis: number): number;
  /** The inverse of `x`. */
  time(x: number): number;
}

export interface Interval {
  readonly from: number;
  readonly to: number;
}

/** What happened when: the moments of all events, ascending, and when activities were under way. */
export interface Activity {
  readonly times: readonly number[];
  readonly busy: readonly Interval[];
}

/**
 * The idle intervals of [from, to]: no event in them, no activity under way, and at least a tenth of the whole and ten
 * seconds. Waiting for a timer, a signal or a child is idle.
 */
export function idleGaps({ times, busy }: Activity, from: number, to: number): Interval[] {
  const least = Math.max((to - from) * IDLE_SHARE, IDLE_LEAST);
  const inside = times.filter((time) => time > from && time < to);
  const points = [from, ...inside, to];
  const gaps: Interval[] = [];
  for (const [index, point] of points.entries()) {
    const next = points[index + 1];
    if (next !== undefined && next - point >= least) gaps.push({ from: point, to: next });
  }
  // An activity's own ends are events, so it covers a gap as a whole or not at all.
  return gaps.filter((gap) => !busy.some((work) => work.from <= gap.from && work.to >= gap.to));
}

export interface ScaleInput {
  readonly from: number;
  readonly to: number;
  readonly activity: Activity;
  /** CSS pixels. */
  readonly width: number;
  readonly collapse: boolean;
}

/**
 * A piecewise linear scale: idle gaps take 48 px each, the rest of the width is shared in proportion. Where gaps would
 * take more than half of the width only the longest are collapsed. A scale that is all gap is not collapsed.
 */
export function createTimeScale({ from, to, activity, width, collapse }: ScaleInput): TimeScale {
  const end = Math.max(to, from + 1);
  const most = Math.floor(width / 2 / GAP_WIDTH);
  const candidates = collapse ? idleGaps(activity, from, end) : [];
  const gaps = candidates
    .toSorted((a, b) => b.to - b.from - (a.to - a.from))
    .slice(0, most)
    .toSorted((a, b) => a.from - b.from);
  const idle = gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  const busy = end - from - idle;
  const chosen = busy > 0 ? gaps : [];
  const segments = layOut(from, end, chosen, width);

  const find = (test: (segment: Segment) => boolean) => segments.find(test) ?? segments.at(-1);
  return {
    from,
    to: end,
    width,
    gaps: segments.filter((segment) => segment.idle),
    parts: segments.filter((segment) => !segment.idle && segment.width > 0),
    x(millis) {
      const segment = find((candidate) => millis <= candidate.to);
      if (!segment) return 0;
      const share = (millis - segment.from) / Math.max(segment.to - segment.from, 1e-9);
      return clamp(segment.left + share * segment.width, 0, width);
    },
    time(x) {
      const segment = find((candidate) => x <= candidate.left + candidate.width);
      if (!segment) return from;
      const share = (x - segment.left) / Math.max(segment.width, 1e-9);
      return clamp(segment.from + share * (segment.to - segment.from), from, end);
    },
  };
}

function layOut(from: number, to: number, gaps: readonly Interval[], width: number): Segment[] {
  const idle = gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  const perMilli = (width - gaps.length * GAP_WIDTH) / Math.max(to - from - idle, 1e-9);
  const segments: Segment[] = [];
  let left = 0;
  let time = from;
  const push = (until: number, isIdle: boolean) => {
    const pixels = isIdle ? GAP_WIDTH : (until - time) * perMilli;
    segments.push({ from: time, to: until, left, width: pixels, idle: isIdle });
    left += pixels;
    time = until;
  };
  for (const gap of gaps) {
    if (gap.from > time) push(gap.from, false);
    push(gap.to, true);
  }
  if (time < to) push(to, false);
  return segments;
}

const clamp = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most);

const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500];
const seconds = [1, 2, 5, 10, 15, 30];
const minutes = seconds.map((value) => value * 60);
const hours = [1, 2, 3, 6, 12].map((value) => value * 3600);
const days = [1, 2, 5, 10, 20, 50, 100, 200, 365].map((value) => value * 86_400);
const niceSteps = [...steps, ...[...seconds, ...minutes, ...hours, ...days].map((value) => value * 1000)];

export interface Tick {
  readonly at: number;
  readonly x: number;
  /** What the label counts: from the start of the run, or from the end of the gap before it. */
  readonly offset: number;
  readonly afterGap: boolean;
}

/**
 * Round offsets at least `spacing` pixels from each other and from the edges of their part. They count as the Start
 * column does: `gaps` are those of the whole run.
 */
export function ticks(scale: TimeScale, origin: number, gaps: readonly Interval[], spacing = 76): Tick[] {
  return scale.parts.flatMap((part) => {
    const step = niceSteps.find((candidate) => (candidate / (part.to - part.from)) * part.width >= spacing);
    if (step === undefined) return [];
    const gap = gaps.findLast((candidate) => candidate.to <= part.from);
    const base = gap?.to ?? origin;
    const margin = spacing / 2;
    const found: Tick[] = [];
    const first = Math.max(1, Math.ceil((part.from - base) / step));
    for (let offset = first * step; base + offset < part.to; offset += step) {
      const at = base + offset;
      const x = scale.x(at);
      if (x - part.left < margin || part.left + part.width - x < margin * 0.6) continue;
      found.push({ at, x, offset, afterGap: gap !== undefined });
    }
    return found;
  });
}

/**
 * How a moment is told from the start: after a collapsed gap it counts from the gap's end, with `+`.
 * `gaps` are those of the whole run, so that a zoom doesn't rewrite the column.
 */
export function offsetFrom(
  millis: number,
  origin: number,
  gaps: readonly Interval[],
): { offset: number; afterGap: boolean } {
  const gap = gaps.findLast((candidate) => millis > candidate.to);
  return gap
    ? { offset: millis - gap.to, afterGap: true }
    : { offset: Math.max(millis - origin, 0), afterGap: false };
}
