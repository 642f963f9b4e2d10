import { fisherExact, holm, rankTest } from './statistics.ts';

/** What is known of a run: `{ build: 'b-7', 'input.amount': 1200, queue: 'orders' }`. A missing field is a value too. */
export type FieldMap = Readonly<Record<string, string | number | boolean | null>>;

/** A field in which two sets differ. */
export interface Difference {
  readonly field: string;
  /** The value that separates best, as text; `(absent)` for runs without the field. Absent for an order of numbers. */
  readonly value?: string;
  /** Runs with the value; for an order of numbers, runs with a number. */
  readonly first: number;
  readonly second: number;
  /** For an order of numbers: the medians of both sets. */
  readonly medians?: readonly [first: number, second: number];
  /** From 0 to 1, how well the field separates: the difference of the shares, or of the ranks. */
  readonly effect: number;
  /** The probability of such a difference by chance, corrected for the number of fields and values. */
  readonly p: number;
}

export interface WhatDiffers {
  /** The fields that differ by more than chance, the clearest first. Each field once. */
  readonly differences: readonly Difference[];
  /** How many runs there are in each set, and how many comparisons the correction counts. */
  readonly sizes: readonly [first: number, second: number];
  readonly comparisons: number;
}

/** A difference is reported below this probability: of a hundred comparisons of equal sets, at most one reports something. */
const SIGNIFICANT = 0.01;
/** Most values of a field that are compared, the most frequent first: fields of free text have thousands. */
const MAX_VALUES = 50;
/** Numbers in each set from which on ranks are compared. */
const MIN_NUMBERS = 8;
const ABSENT = '(absent)';

/**
 * Ranks the fields by how well they separate two sets of runs. Each value is compared with all others by Fisher's exact test, and
 * numbers also by rank; all p-values are corrected together (Holm). Without a planted cause, at most 1 % of all comparisons of
 * sets report one.
 *
 * @example
 * whatDiffers(failed, completed).differences[0]; // { field: 'build', value: 'b-7', first: 61, second: 4, effect: 0.57, p: 2e-16 }
 */
export function whatDiffers(first: readonly FieldMap[], second: readonly FieldMap[]): WhatDiffers {
  const fields = [...new Set([...first, ...second].flatMap((run) => Object.keys(run)))].toSorted();
  const tested = worthwhile(
    fields.flatMap((field) => [...valueTests(field, first, second), ...numberTests(field, first, second)]),
  );
  const corrected = holm(tested.map(({ p }) => p));
  const best = new Map<string, Difference>();
  for (const [index, { least: _, ...test }] of tested.entries()) {
    const found: Difference = { ...test, p: corrected[index] ?? 1 };
    const known = best.get(found.field);
    if (found.p < SIGNIFICANT && (known === undefined || compare(found, known) < 0))
      best.set(found.field, found);
  }
  return {
    differences: [...best.values()].toSorted(compare),
    sizes: [first.length, second.length],
    comparisons: tested.length,
  };
}

/** A comparison, with the smallest p-value that its counts permit. */
interface Comparison extends Difference {
  readonly least: number;
}

/**
 * Leaves out comparisons that cannot be significant, such as values of single runs, so that they do not cost all others power: R.
 * E. Tarone, "A modified Bonferroni method for discrete data", Biometrics 46 (1990). The smallest p-value depends only on how many
 * runs have the value, not on their sets, so that the choice does not bias the result.
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

/** The better separated first; among equals, the less likely by chance. */
const compare = (a: Difference, b: Difference): number =>
  b.effect - a.effect || a.p - b.p || (a.field < b.field ? -1 : 1);

const textOf = (run: FieldMap, field: string): string => {
  const value = Object.hasOwn(run, field) ? run[field] : undefined;
  return value === undefined ? ABSENT : String(value);
};

function valueTests(field: string, first: readonly FieldMap[], second: readonly FieldMap[]): Comparison[] {
  const counts = new Map<string, [first: number, second: number]>();
  for (const [set, runs] of [first, second].entries())
    for (const run of runs) {
      const value = textOf(run, field);
      const count = counts.get(value) ?? [0, 0];
      count[set === 0 ? 0 : 1] += 1;
      counts.set(value, count);
    }
  const [n, m] = [first.length, second.length];
  const values = [...counts].toSorted(([, [a, c]], [, [x, y]]) => x + y - (a + c) || x - y - (a - c));
  // Of two values, one says all: that which is more frequent in the first set.
  const compared = values.length === 2 ? values.filter(([, [a, c]]) => a * m > c * n) : values;
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

/** The p-value if all runs with the value were in one set, as far as they fit. */
function leastFisher(count: number, n: number, m: number): number {
  const [high, low] = [Math.min(count, n), Math.max(0, count - m)];
  return Math.min(...[high, low].map((a) => fisherExact(a, n - a, count - a, m - count + a)));
}

function numberTests(field: string, first: readonly FieldMap[], second: readonly FieldMap[]): Comparison[] {
  const [a, b] = [numbers(field, first), numbers(field, second)];
  if (Math.min(a.length, b.length) < MIN_NUMBERS) return [];
  const { p, larger } = rankTest(a, b);
  return [
    {
      field,
      first: a.length,
      second: b.length,
      medians: [median(a), median(b)],
      effect: Math.abs(2 * larger - 1),
      p,
      least: 0,
    },
  ];
}

const numbers = (field: string, runs: readonly FieldMap[]): number[] =>
  runs.flatMap((run) => {
    const value = run[field];
    return typeof value === 'number' && Number.isFinite(value) ? [value] : [];
  });

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return (low + high) / 2;
}
