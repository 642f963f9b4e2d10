import { fisherExact, holm, rankTest } from './statistics.ts';

/**
 * A run's fields, such as `{ build: 'b-7', 'input.amount': 1200, queue: 'orders' }`. The absence of a field
 * counts as a value.
 */
export type FieldMap = Readonly<Record<string, string | number | boolean | null>>;

/** A field in which two sets of runs differ. */
export interface Difference {
  readonly field: string;
  /**
   * The value that separates the sets best, as text; `(absent)` if the sets differ in whether runs have the
   * field. Undefined if numbers were compared by rank.
   */
  readonly value?: string;
  /** Number of runs with the value or, if numbers were compared by rank, of runs with any number. */
  readonly first: number;
  readonly second: number;
  /** The medians of both sets, if numbers were compared by rank. */
  readonly medians?: readonly [first: number, second: number];
  /** The set with the larger numbers, if numbers were compared by rank. The medians may still be equal. */
  readonly larger?: 'first' | 'second';
  /**
   * How well the field separates the sets, from 0 to 1: the difference between the shares, or between the
   * ranks. Pairs in which a run has no number count as ties.
   */
  readonly effect: number;
  /** The probability of such a difference by chance, corrected for the number of fields and values. */
  readonly p: number;
}

export interface WhatDiffers {
  /** The fields that differ by more than chance, clearest difference first. Each field appears once. */
  readonly differences: readonly Difference[];
  /**
   * The number of runs in each set. `comparisons` is the number of comparisons; the p-values are corrected
   * for it.
   */
  readonly sizes: readonly [first: number, second: number];
  readonly comparisons: number;
}

/**
 * The p-value below which a difference is reported. If two sets do not differ, at most 1 % of calls report a
 * difference.
 */
const SIGNIFICANT = 0.01;
/**
 * Maximum number of values of a field that are compared, most frequent first. Fields with free text have
 * thousands of values.
 */
const MAX_VALUES = 50;
/** Minimum count of numbers in each set for a comparison by rank. */
const MIN_NUMBERS = 8;
/** The value of a field that a run does not have. */
export const ABSENT = '(absent)';

/**
 * Ranks the fields by how well they separate two sets of runs. Compares each value with all other values by
 * Fisher's exact test. Also compares numbers by rank. Corrects all p-values together (Holm). If the sets
 * differ only by chance, at most 1 % of calls report a difference.
 *
 * @example
 * whatDiffers(failed, completed).differences[0]; // { field: 'build', value: 'b-7', first: 61, second: 4, effect: 0.57, p: 2e-16 }
 */
export function whatDiffers(first: readonly FieldMap[], second: readonly FieldMap[]): WhatDiffers {
  const sizes = [first.length, second.length] as const;
  const tested = worthwhile(
    [...valuesByField(first, second)].flatMap(([field, values]) => [
      ...valueTests(field, values, sizes),
      ...numberTests(field, values, sizes),
    ]),
  );
  const corrected = holm(tested.map(({ p }) => p));
  const best = new Map<string, Difference>();
  for (const [index, { least: _, ...test }] of tested.entries()) {
    const found: Difference = { ...test, p: corrected[index] ?? 1 };
    const known = best.get(found.field);
    if (found.p < SIGNIFICANT && (known === undefined || compare(found, known) < 0))
      best.set(found.field, found);
  }
  return { differences: [...best.values()].toSorted(compare), sizes, comparisons: tested.length };
}

/** A comparison, with the smallest p-value that its counts allow. */
interface Comparison extends Difference {
  readonly least: number;
}

/**
 * Drops comparisons that cannot be significant, such as those of a value in a single run: they would reduce
 * the power of the other comparisons (R. E. Tarone, "A modified Bonferroni method for discrete data",
 * Biometrics 46, 1990). The smallest possible p-value depends on how many runs have the value, not on which
 * set the runs are in, so the choice does not bias the result.
 */
function worthwhile(all: readonly Comparison[]): Comparison[] {
  const least = all.map((one) => one.least).toSorted((a, b) => a - b);
  const countBelow = (limit: number): number => {
    const end = least.findIndex((p) => p > limit);
    return end < 0 ? least.length : end;
  };
  let number = 1;
  while (countBelow(SIGNIFICANT / number) > number) number += 1;
  return all.filter((one) => one.least <= SIGNIFICANT / number);
}

/** Sorts by effect, largest first, and then by p-value, smallest first. */
const compare = (a: Difference, b: Difference): number =>
  b.effect - a.effect || a.p - b.p || (a.field < b.field ? -1 : 1);

/** The values of a field in each set, for the runs that have the field. */
type Values = readonly [first: FieldMap[string][], second: FieldMap[string][]];

function valuesByField(...sets: readonly [readonly FieldMap[], readonly FieldMap[]]): Map<string, Values> {
  const byField = new Map<string, Values>();
  for (const set of [0, 1] as const)
    for (const run of sets[set])
      for (const [field, value] of Object.entries(run)) {
        const values = byField.get(field) ?? [[], []];
        byField.set(field, values);
        values[set].push(value);
      }
  return byField;
}

function valueTests(field: string, values: Values, [n, m]: readonly [number, number]): Comparison[] {
  const counts = new Map<string, [first: number, second: number]>();
  const add = (value: string, set: 0 | 1, by = 1): void => {
    const count = counts.get(value) ?? [0, 0];
    count[set] += by;
    if (by > 0) counts.set(value, count);
  };
  for (const set of [0, 1] as const) {
    for (const value of values[set]) add(String(value), set);
    add(ABSENT, set, (set === 0 ? n : m) - values[set].length);
  }
  const ordered = [...counts].toSorted(([, [a, c]], [, [x, y]]) => x + y - (a + c) || x - y - (a - c));
  // If there are only two values, compares only the value that is more frequent in the first set.
  const compared = ordered.length === 2 ? ordered.filter(([, [a, c]]) => a * m > c * n) : ordered;
  return compared
    .filter(([, [a, c]]) => a + c < n + m)
    .slice(0, MAX_VALUES)
    .map(([value, [a, c]]) => ({
      field,
      value,
      first: a,
      second: c,
      effect: Math.abs(a / n - c / m),
      p: fisherExact(a, n - a, c, m - c),
      least: leastFisher(a + c, n, m),
    }));
}

/**
 * Returns the smallest possible p-value, which results if one set contains as many of the runs with the value
 * as possible.
 */
function leastFisher(count: number, n: number, m: number): number {
  const [high, low] = [Math.min(count, n), Math.max(0, count - m)];
  return Math.min(...[high, low].map((a) => fisherExact(a, n - a, count - a, m - count + a)));
}

function numberTests(field: string, values: Values, [n, m]: readonly [number, number]): Comparison[] {
  const [a, b] = [numbers(values[0]), numbers(values[1])];
  if (Math.min(a.length, b.length) < MIN_NUMBERS) return [];
  const { p, larger } = rankTest(a, b);
  return [
    {
      field,
      first: a.length,
      second: b.length,
      medians: [median(a), median(b)],
      larger: larger > 0.5 ? 'first' : 'second',
      effect: Math.abs(2 * larger - 1) * (a.length / n) * (b.length / m),
      p,
      least: 0,
    },
  ];
}

const numbers = (values: readonly FieldMap[string][]): number[] =>
  values.filter((value): value is number => Number.isFinite(value));

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return (low + high) / 2;
}
