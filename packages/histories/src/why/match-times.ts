import { MAX_SAMPLE_TIMES, type RunSample } from '@temporal-kms/codec-api';
import type { FieldMap } from './differs.ts';

/** When a run started, in milliseconds since 1970, and how long it took. Open runs have no duration. */
export interface RunTimes {
  readonly start: number;
  readonly duration?: number | undefined;
}

/** The runs that were read from a set. */
interface ReadRuns {
  readonly times: readonly RunTimes[];
  /** Whether the set has more runs, so that only its newest runs were read. */
  readonly isCut: boolean;
}

/** One set's runs may begin later than the other set's by at most this share of the other set's time span. */
const TOLERANCE = 0.2;
/** A sample begins at least this many milliseconds before the other set's earliest run. */
const MIN_REACH = 600_000;
/** The fractional part of the golden ratio: its multiples, modulo 1, are spread evenly but never repeat. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * Returns which set to read again, and which of its runs to read, so that both sets' runs are from the same
 * times. Otherwise, whatever changes over time would differ: the newest 200 of 100,000 completed runs may be
 * from the last few minutes, and the newest 200 failed runs from a whole day, with a deployment in between.
 * Returns undefined if the times need not be matched: if both sets were read completely, their times are what
 * the user wants to compare.
 *
 * The sample is distributed over time like the other set, as in a case-control study with matching by time
 * (https://en.wikipedia.org/wiki/Nested_case%E2%80%93control_study). So it cannot show that failures were
 * more frequent at some times: compare the fields without `hour`.
 */
export function matchTimes(
  sets: readonly [first: ReadRuns, second: ReadRuns],
): { readonly set: 0 | 1; readonly sample: RunSample } | undefined {
  const [a, b] = [timeline(sets[0]), timeline(sets[1])];
  if (a.times.length === 0 || b.times.length === 0) return undefined;
  // The earliest tenth of the runs is ignored, because a set may contain a few runs that started long before the others.
  const begins = (times: readonly number[]) => quantile(times, 0.1);
  const set = begins(a.times) > begins(b.times) ? 0 : 1;
  const [own, other] = set === 0 ? [a, b] : [b, a];
  const range = quantile(other.times, 0.9) - begins(other.times);
  if (!sets[set].isCut || begins(own.times) - begins(other.times) <= range * TOLERANCE) return undefined;
  const count = Math.min(MAX_SAMPLE_TIMES, other.times.length);
  // The steps are irregular: otherwise, failures at regular times would select the same hour of each day.
  const until = Array.from(
    { length: count },
    (_, n) => quantile(other.times, 1 - (n + ((n * GOLDEN) % 1)) / count) + own.duration,
  );
  const first = quantile(other.times, 0);
  const reach = Math.max((quantile(other.times, 1) - first) / count, MIN_REACH);
  const from = Math.max(0, Math.floor(first + own.duration - reach));
  return { set, sample: { from, until: until.map((at) => Math.ceil(at)) } };
}

/** Returns the fields that can be compared if one set's times were chosen to match the other set's. */
export function withoutTime(fields: FieldMap): FieldMap {
  const { hour: _, ...others } = fields;
  return others;
}

/**
 * Returns the median duration of the closed runs, and a time for each run, earliest first. Temporal lists runs by
 * their end, so a run's time is its end. Subtracts the median duration from each time, to make a set of short
 * runs comparable with a set of long runs.
 */
function timeline({ times }: ReadRuns): { readonly duration: number; readonly times: readonly number[] } {
  const durations = times.flatMap(({ duration = [] }) => duration).toSorted((a, b) => a - b);
  const median = quantile(durations, 0.5);
  const ends = times.map(({ start, duration = median }) => start + duration - median);
  return { duration: median, times: ends.toSorted((a, b) => a - b) };
}

/**
 * Returns a quantile: the given share of the values lies below it. Returns 0 if there are no values.
 * @param sorted smallest value first
 */
const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.round(share * (sorted.length - 1))] ?? 0;
