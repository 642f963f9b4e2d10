import { describe, expect, it } from 'vitest';
import { fisherExact, holm, normalTail, rankTest } from '../../src/why/statistics.ts';
import { drawFrom } from './random.ts';

const choose = (n: number, k: number): bigint =>
  Array.from({ length: k }, (_, i) => i).reduce((value, i) => (value * BigInt(n - i)) / BigInt(i + 1), 1n);

describe('fisherExact', () => {
  // The expected values are scipy.stats.fisher_exact([[a, b], [c, d]]).pvalue of SciPy 1.17.1.
  it.each([
    [[3, 1, 1, 3], 0.4857142857142857],
    [[1, 9, 11, 3], 0.002759456185220083],
    [[10, 2, 3, 15], 0.0005367241191434357],
    [[0, 10, 0, 10], 1],
  ] as const)('returns the p-value of %j: %d', ([a, b, c, d], p) => {
    expect(fisherExact(a, b, c, d)).toBeCloseTo(p, 9);
  });

  it('equals the enumerated total probability of all tables that are at most as likely as the given table', () => {
    const draw = drawFrom(7);
    for (let round = 0; round < 200; round += 1) {
      const [a, b, c, d] = [draw.whole(0, 12), draw.whole(0, 12), draw.whole(0, 12), draw.whole(1, 12)];
      const ways = (x: number) => choose(a + b, x) * choose(c + d, a + c - x);
      let sum = 0n;
      for (let x = Math.max(0, a - d); x <= Math.min(a + b, a + c); x += 1)
        if (ways(x) <= ways(a)) sum += ways(x);
      expect(fisherExact(a, b, c, d)).toBeCloseTo(Number(sum) / Number(choose(a + b + c + d, a + c)), 9);
    }
  });

  it('does not round tiny probabilities of large tables to zero', () => {
    expect(fisherExact(1500, 500, 500, 1500)).toBeGreaterThan(0);
    expect(Math.log10(fisherExact(1500, 500, 500, 1500))).toBeLessThan(-200);
  });
});

describe('normalTail', () => {
  // The expected values are 2 * scipy.stats.norm.sf(z) of SciPy 1.17.1.
  it.each([
    [0, 1],
    [1, 0.3173105078629141],
    [1.959963984540054, 0.05],
    [4.2, 2.669149803181262e-5],
    [4.3, 1.707981094198359e-5],
    [6, 1.973175290075396e-9],
    [10, 1.523970604832105e-23],
  ])('given z = %d, returns %d', (z, p) => {
    expect(normalTail(z) / p).toBeCloseTo(1, 9);
    expect(normalTail(-z)).toBe(normalTail(z));
  });
});

describe('rankTest', () => {
  // The expected values are scipy.stats.mannwhitneyu(x, y, method='asymptotic').pvalue of SciPy 1.17.1.
  it('agrees with SciPy, even with ties', () => {
    const x = [1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7, 8.8];
    const y = [2, 4, 6, 8, 10, 12, 14, 16];
    expect(rankTest(x, y)).toEqual({ p: expect.closeTo(0.10356187117653398, 9), larger: 16 / 64 });
    expect(rankTest([1, 1, 2, 2, 3, 3, 4, 4, 9], [2, 2, 3, 3, 3, 5, 5, 6])).toEqual({
      p: expect.closeTo(0.40373419439088687, 9),
      larger: 27 / 72,
    });
    expect(rankTest([1, 1, 2, 2, 3, 3, 4, 4], [1, 1, 2, 2, 3, 3, 4, 4])).toEqual({ p: 1, larger: 0.5 });
    expect(rankTest([5, 5, 5], [5, 5, 5]).p).toBe(1);
  });

  it('yields p-values below a limit no more often than the limit allows if the sets do not differ', () => {
    const draw = drawFrom(11);
    const sample = () => Array.from({ length: 40 }, () => draw.normal(0, 1));
    const found = Array.from({ length: 2000 }, () => rankTest(sample(), sample()).p).filter(
      (p) => p < 0.05,
    ).length;
    expect(found / 2000).toBeGreaterThan(0.035);
    expect(found / 2000).toBeLessThan(0.065);
  });
});

describe('holm', () => {
  it('multiplies each p-value by the number of remaining comparisons, and keeps the order', () => {
    expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
    expect(holm([0.5, 0.6])).toEqual([1, 1]);
    expect(holm([])).toEqual([]);
  });
});
