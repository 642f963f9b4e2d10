/*
 * The statistical tests for `whatDiffers`. They are our own code, because simple-statistics and jStat lack
 * Fisher's exact test. The comment for each formula names its source, and unit tests compare the results with
 * SciPy.
 */

/** The values of ln(n!) that have been computed so far, indexed by n. */
const factorials: number[] = [0];

function lnFactorial(n: number): number {
  for (let next = factorials.length; next <= n; next += 1)
    factorials.push((factorials[next - 1] ?? 0) + Math.log(next));
  return factorials[n] ?? 0;
}

const lnChoose = (n: number, k: number): number => lnFactorial(n) - lnFactorial(k) - lnFactorial(n - k);

/** Tolerance, because the computed probabilities of equally likely tables differ in their last digits. */
const TIE = 1e-7;

/**
 * Returns the two-sided p-value of Fisher's exact test (R. A. Fisher 1922): the total probability of all
 * tables with the same margins that are at most as likely as this table. The time is linear in the smaller
 * margin.
 *
 * @param a,b how many runs of the first set have the value, and how many do not
 * @param c,d the same for the second set
 * @example
 * fisherExact(3, 1, 1, 3); // 0.4857, the lady tasting tea
 */
export function fisherExact(a: number, b: number, c: number, d: number): number {
  const [first, withValue, all] = [a + b, a + c, a + b + c + d];
  const lnAll = lnChoose(all, withValue);
  const lnP = (x: number): number => lnChoose(first, x) + lnChoose(all - first, withValue - x) - lnAll;
  const limit = lnP(a) + TIE;
  let p = 0;
  for (let x = Math.max(0, withValue - (all - first)); x <= Math.min(first, withValue); x += 1) {
    const ln = lnP(x);
    if (ln <= limit) p += Math.exp(ln);
  }
  return Math.min(1, p);
}

/** Enough terms for both expansions below to reach the precision of a double. */
const TERMS = 200;

/**
 * Returns the two-sided p-value of a standard normal value: erfc(|z|/√2). If |z|/√2 is below 3, computes it as a series
 * (Abramowitz and Stegun 1964, 7.1.6), and otherwise as a continued fraction (7.1.14).
 */
export function normalTail(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const scale = Math.exp(-x * x) / Math.sqrt(Math.PI);
  if (x < 3) {
    let [term, sum] = [2 * x, 0];
    for (let n = 1; n < TERMS; n += 1) {
      sum += term;
      term *= (2 * x * x) / (2 * n + 1);
    }
    return Math.max(0, 1 - scale * sum);
  }
  let fraction = x;
  for (let n = TERMS; n >= 1; n -= 1) fraction = x + n / 2 / fraction;
  return scale / fraction;
}

/** The result of a comparison of two sets of numbers by rank. */
export interface RankTest {
  /** The two-sided p-value. */
  readonly p: number;
  /**
   * The probability that a number from the first set is larger than a number from the second set; 0.5 if the
   * sets do not differ.
   */
  readonly larger: number;
}

/**
 * Compares two sets of numbers with the Mann-Whitney test (1947). Uses the normal approximation with
 * corrections for ties and continuity, which is suitable if each set has at least 8 finite numbers.
 */
export function rankTest(first: readonly number[], second: readonly number[]): RankTest {
  const [n, m] = [first.length, second.length];
  const all = n + m;
  const [a, b] = [Float64Array.from(first).toSorted(), Float64Array.from(second).toSorted()];
  let [i, j, ranks, ties] = [0, 0, 0, 0];
  while (i + j < all) {
    const value = Math.min(a[i] ?? Number.POSITIVE_INFINITY, b[j] ?? Number.POSITIVE_INFINITY);
    const [fromA, from] = [i, i + j];
    while (i < n && a[i] === value) i += 1;
    while (j < m && b[j] === value) j += 1;
    const size = i + j - from;
    ranks += (i - fromA) * (from + (size + 1) / 2);
    ties += size ** 3 - size;
  }
  const u = ranks - (n * (n + 1)) / 2;
  const deviation = Math.sqrt(((n * m) / 12) * (all + 1 - ties / (all * (all - 1))));
  const distance = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5);
  return { p: deviation === 0 ? 1 : normalTail(distance / deviation), larger: u / (n * m) };
}

/**
 * Corrects p-values for the number of tests by Holm's method (1979). If nothing differs, the probability that
 * any corrected p-value is below a limit is at most that limit, even if the tests depend on each other.
 */
export function holm(values: readonly number[]): number[] {
  const order = values.map((p, index) => ({ p, index })).toSorted((a, b) => a.p - b.p);
  const corrected = values.map(() => 1);
  let largest = 0;
  for (const [rank, { p, index }] of order.entries()) {
    largest = Math.max(largest, Math.min(1, p * (values.length - rank)));
    corrected[index] = largest;
  }
  return corrected;
}
