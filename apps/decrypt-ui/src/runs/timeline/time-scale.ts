/** Minimum length of idle time that is collapsed, as a share of the whole. */
const IDLE_SHARE = 0.1;
/** Minimum length of idle time that is collapsed, in milliseconds: shorter gaps would make a young run's chart flicker. */
const MIN_IDLE = 10_000;
/** The width of a collapsed idle gap, in CSS pixels. */
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
  /** The segments between the gaps, in which the scale is linear. */
  readonly parts: readonly Segment[];
  /** Returns a time's distance from the left edge in CSS pixels, clamped to the width. */
  x(millis: number): number;
  /** The inverse function of `x`. */
  time(x: number): number;
}

export interface Interval {
  readonly from: number;
  readonly to: number;
}

/** The interval in which an activity was in progress; `to` is Infinity if it still is. */
type BusyInterval = Interval;

/** The times of a run's events and activities. */
export interface RunTimes {
  /** The times of all events, ascending. */
  readonly events: readonly number[];
  readonly busy: readonly BusyInterval[];
  /** Minimum length of idle time that is collapsed, in milliseconds; ten seconds by default. */
  readonly minIdle?: number;
}

/**
 * Returns the idle intervals between `from` and `to`, in which no event occurs and no activity is in
 * progress. An idle interval takes at least a tenth of the whole and at least `minIdle`. Waiting for a
 * timer, a signal or a child is idle time.
 */
export function idleGaps(
  { events, busy, minIdle = MIN_IDLE }: RunTimes,
  from: number,
  to: number,
): Interval[] {
  const least = Math.max((to - from) * IDLE_SHARE, minIdle);
  const gaps: Interval[] = [];
  let last = from;
  // Does not copy the times, because a run has up to 51,200 events and this code runs each time events arrive.
  for (const time of events) {
    if (time <= from) continue;
    if (time >= to) break;
    if (time - last >= least) gaps.push({ from: last, to: time });
    last = time;
  }
  if (to - last >= least) gaps.push({ from: last, to });
  // An activity starts and ends with an event, so it covers a gap either completely or not at all.
  return gaps.filter((gap) => !busy.some((work) => work.from <= gap.from && work.to >= gap.to));
}

/**
 * An open run's scale extends into the future by at most this share of the time that it shows, or a second if
 * that is more.
 */
const AHEAD_SHARE = 1 / 32;
/** An open run's scale extends into the future by at most this many milliseconds, or half a pixel if that is more. */
const MAX_AHEAD = 10_000;

interface OpenInput {
  readonly times: RunTimes;
  readonly now: number;
  /** In CSS pixels. */
  readonly width: number;
  readonly collapse: boolean;
}

/**
 * Returns the end of an open run's scale: the current time or a little later. The end moves in steps, so that
 * finished bars do not move each second. Each step is a power of two, in seconds, because a step that grew
 * each second would also move the end each second.
 */
export function endOfOpen({ times, now, width, collapse }: OpenInput): number {
  const from = times.events[0] ?? now;
  const gaps = collapse ? idleGaps(times, from, now) : [];
  const last = gaps.at(-1);
  // While the current time is in a collapsed gap, moving the end moves no bar before the gap.
  const shown =
    last?.to === now
      ? now - last.from
      : gaps.reduce((left, gap) => left - (gap.to - gap.from), Math.max(now - from, 0));
  const halfPixel = width > 0 ? shown / width / 2 : 0;
  const ahead = Math.max(Math.min(shown * AHEAD_SHARE, MAX_AHEAD), halfPixel, 1000);
  const step = 1000 * 2 ** Math.floor(Math.log2(ahead / 1000));
  return from + Math.ceil((now - from) / step) * step;
}

export interface ScaleInput {
  readonly from: number;
  readonly to: number;
  readonly times: RunTimes;
  /** In CSS pixels. */
  readonly width: number;
  readonly collapse: boolean;
}

/**
 * Creates a piecewise linear scale: each idle gap takes 48 px, and the remaining time shares the remaining width
 * proportionally. If the gaps would take more than half of the width, only the longest gaps are collapsed. A run that
 * consists only of gaps is not collapsed.
 */
export function createTimeScale({ from, to, times, width, collapse }: ScaleInput): TimeScale {
  const end = Math.max(to, from + 1);
  const most = Math.floor(width / 2 / GAP_WIDTH);
  const candidates = collapse ? idleGaps(times, from, end) : [];
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
  /** The time on the label, counted from the start of the run or the end of the gap before the tick. */
  readonly offset: number;
  readonly afterGap: boolean;
}

const SPACING = 64;

/**
 * Returns ticks at round offsets, at least `SPACING` pixels apart. Ticks keep a distance from the edges of
 * their segment. Offsets are those of the Start column, so `gaps` are the gaps of the whole run.
 */
export function ticks(scale: TimeScale, origin: number, gaps: readonly Interval[]): Tick[] {
  return scale.parts.flatMap((part) => {
    const step = niceSteps.find((candidate) => (candidate / (part.to - part.from)) * part.width >= SPACING);
    if (step === undefined) return [];
    const gap = gaps.findLast((candidate) => candidate.to <= part.from);
    const base = gap?.to ?? origin;
    const margin = SPACING / 2;
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
 * Returns a moment's offset in the Start column: from the start of the run or, after a collapsed gap, from the end of the
 * gap. `gaps` are the gaps of the whole run, so that zooming does not change the column.
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
