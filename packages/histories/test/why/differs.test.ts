import type { RunSample } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { type FieldMap, whatDiffers } from '../../src/why/differs.ts';
import { flatFields } from '../../src/why/flat-fields.ts';
import { matchTimes, withoutTime } from '../../src/why/match-times.ts';
import { type Draw, drawFrom } from './random.ts';

const RUNS = 200;
const SEEDS = 200;

/**
 * Returns a run of an invented shop, with 30 fields of all kinds. Many of the fields depend on each other.
 */
function run(d: Draw): Record<string, string | number | boolean | null> {
  const items = d.whole(1, 9);
  const amount = Math.round(items * d.normal(40, 12) * 100) / 100;
  const hour = d.whole(0, 23);
  return {
    build: d.one(['b-6', 'b-7']),
    worker: `pod-${d.whole(1, 12)}`,
    queue: d.one(['orders', 'orders', 'orders-eu']),
    hour,
    isNight: hour < 6,
    keyVersion: d.one([1, 2, 2, 2]),
    'input.orderId': `order-${d.hex(10)}`,
    'input.customer': `customer-${d.whole(1, 5000)}`,
    'input.items.length': items,
    'input.amount': amount,
    'input.currency': d.one(['EUR', 'EUR', 'USD', 'GBP']),
    'input.country': d.one(['DE', 'FR', 'AT', 'PL', 'US', 'GB', 'CZ']),
    'input.express': d.one([true, false, false]),
    'input.coupon': d.one([null, null, `C${d.whole(1, 30)}`]),
    bytes: 400 + items * 80 + d.whole(0, 30),
    duration: Math.exp(d.normal(7, 1)),
    ...Object.fromEntries(
      Array.from({ length: 10 }, (_, n) => [`memo.tag${n}`, d.one(['a', 'b', 'c', 'd'])]),
    ),
    ...Object.fromEntries(Array.from({ length: 4 }, (_, n) => [`size${n}`, d.whole(0, 1_000_000)])),
  };
}

type Fields = ReturnType<typeof run>;

/** A fault: either a value that half of the failed runs get, or a number that is larger in all failed runs. */
const plants: readonly (readonly [field: string, plant: (run: Fields) => void, share: number])[] = [
  ['build', (r) => (r['build'] = 'b-7'), 0.5],
  ['input.country', (r) => (r['input.country'] = 'CZ'), 0.5],
  ['input.coupon', (r) => (r['input.coupon'] = 'C7'), 0.5],
  ['input.express', (r) => (r['input.express'] = true), 0.5],
  ['worker', (r) => (r['worker'] = 'pod-3'), 0.5],
  ['input.customer', (r) => delete r['input.customer'], 0.5],
  ['keyVersion', (r) => (r['keyVersion'] = 1), 0.5],
  ['duration', (r) => (r['duration'] = Number(r['duration']) * 2.5), 1],
  ['input.amount', (r) => (r['input.amount'] = Number(r['input.amount']) * 1.6), 1],
  ['size2', (r) => (r['size2'] = Number(r['size2']) + 300_000), 1],
];

const runs = (d: Draw) => Array.from({ length: RUNS }, () => run(d));

const NOW = Date.UTC(2027, 0, 10, 15, 20);
const DAY = 86_400_000;

interface Closed {
  readonly start: number;
  readonly duration: number;
}
const closeOf = ({ start, duration }: Closed) => start + duration;

/** The number of days, and each set's runs per day. */
const loads = [
  { days: 1, failed: 300, completed: 100_000 },
  { days: 1, failed: 60, completed: 20_000 },
  { days: 1, failed: 3000, completed: 2000 },
  { days: 20, failed: 10, completed: 3000 },
];

interface History {
  readonly days: number;
  readonly perDay: number;
  readonly minutes: number;
  readonly isRegular: boolean;
}

/** Returns the runs that closed in the last `days` days, in the order in which Temporal lists them. */
function history(d: Draw, { days, perDay, minutes, isRegular }: History): Closed[] {
  const closed: Closed[] = [];
  for (let close = NOW; close > NOW - days * DAY;) {
    const duration = minutes * 60_000 * Math.exp(d.normal(0, 1));
    closed.push({ start: close - duration, duration });
    close -= (DAY / perDay) * (isRegular ? 1 : -Math.log(1 - d.random()));
  }
  return closed;
}

function runAt(d: Draw, { start, duration }: Closed, deployed: number): FieldMap {
  const isNew = start >= deployed;
  return {
    ...run(d),
    build: isNew ? 'b-7' : 'b-6',
    worker: `pod-${isNew ? 'new' : 'old'}-${d.whole(1, 12)}`,
    keyVersion: isNew ? 2 : 1,
    hour: new Date(start).getUTCHours(),
    isNight: new Date(start).getUTCHours() < 6,
    duration,
  };
}

/** Reads two sets as the dashboard and the codec server do. */
function compared(sets: readonly [readonly Closed[], readonly Closed[]]) {
  const newest = (all: readonly Closed[]) => ({ times: all.slice(0, RUNS), isCut: all.length > RUNS });
  const read = [newest(sets[0]), newest(sets[1])] as const;
  const match = matchTimes(read);
  return {
    isMatched: match !== undefined,
    runs: read.map(({ times }, set) => (match?.set === set ? sampled(sets[set], match.sample) : times)),
  };
}

function sampled(all: readonly Closed[], { from, until }: RunSample): Closed[] {
  const found: Closed[] = [];
  let next = 0;
  for (const at of until) {
    while (next < all.length && closeOf(all[next]!) > at) next += 1;
    const page = all.slice(next, next + Math.floor(RUNS / until.length));
    found.push(...page.filter((each) => closeOf(each) >= from));
    next += page.length;
  }
  return found;
}

const sizes = (other: number): FieldMap[] =>
  Array.from({ length: 100 }, (_, n) => ({ size: n < 60 ? 5 : other + (n % 40) }));

describe('whatDiffers', () => {
  it(
    'ranks the planted cause among the first three in at least 95 % of 200 cases',
    { timeout: 240_000 },
    () => {
      let found = 0;
      for (let seed = 0; seed < SEEDS; seed += 1) {
        const d = drawFrom(seed);
        const [field, plant, share] = plants[seed % plants.length]!;
        const [first, second] = [runs(d), runs(d)];
        for (const one of first) if (d.random() < share) plant(one);
        const { differences } = whatDiffers(first, second);
        if (differences.slice(0, 3).some((one) => one.field === field)) found += 1;
      }
      expect(found / SEEDS).toBeGreaterThanOrEqual(0.95);
    },
  );

  it('reports a difference in at most 5 % of 200 cases without a cause', { timeout: 240_000 }, () => {
    let reported = 0;
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const d = drawFrom(10_000 + seed);
      if (whatDiffers(runs(d), runs(d)).differences.length > 0) reported += 1;
    }
    expect(reported / SEEDS).toBeLessThanOrEqual(0.05);
  });

  it(
    'reports a difference in at most 5 % of 200 cases in which only the newest runs are read',
    { timeout: 240_000 },
    () => {
      let reported = 0;
      for (let seed = 0; seed < SEEDS; seed += 1) {
        const d = drawFrom(20_000 + seed);
        const { days, ...perDay } = d.one(loads);
        // The deployment is harmless: it only changes the build, the workers and the key version.
        const deployed = NOW - d.whole(1, 36) * 600_000 * days;
        const minutes = d.one([1, 60]);
        const failed = history(d, { days, perDay: perDay.failed, minutes, isRegular: d.one([true, false]) });
        const completed = history(d, { days, perDay: perDay.completed, minutes, isRegular: false });
        const { isMatched, runs: both } = compared(
          seed % 2 === 0 ? [failed, completed] : [completed, failed],
        );
        const [first, second] = both.map((all) =>
          all.map((each) => {
            const fields = runAt(d, each, deployed);
            return isMatched ? withoutTime(fields) : fields;
          }),
        );
        if (whatDiffers(first!, second!).differences.length > 0) reported += 1;
      }
      expect(reported / SEEDS).toBeLessThanOrEqual(0.05);
    },
  );

  it('returns counts and medians, and each field once', () => {
    const first: FieldMap[] = Array.from({ length: 40 }, (_, n) => ({
      build: n < 30 ? 'b-7' : 'b-6',
      size: n + 20,
    }));
    const second: FieldMap[] = Array.from({ length: 40 }, (_, n) => ({
      build: n < 2 ? 'b-7' : 'b-6',
      size: n,
    }));
    expect(whatDiffers(first, second)).toMatchObject({
      differences: [
        { field: 'size', medians: [39.5, 19.5], larger: 'first', effect: expect.closeTo(0.75, 1) },
        { field: 'build', value: 'b-7', first: 30, second: 2, effect: 0.7 },
      ],
      sizes: [40, 40],
      comparisons: 2,
    });
  });

  it('reports that most runs of a set lack a number, and not that the set’s few numbers are larger', () => {
    const failed: FieldMap[] = Array.from({ length: 50 }, (_, n) => (n < 9 ? { amount: 1000 + n } : {}));
    const completed: FieldMap[] = Array.from({ length: 50 }, (_, n) => ({ amount: n }));
    expect(whatDiffers(failed, completed).differences).toMatchObject([
      { field: 'amount', value: '(absent)', first: 41, second: 0, effect: 0.82 },
    ]);
  });

  it('names the set with the larger numbers, even if the medians are equal', () => {
    const [difference] = whatDiffers(sizes(-50), sizes(50)).differences;
    expect(difference).toMatchObject({ field: 'size', medians: [5, 5], larger: 'second' });
    expect(whatDiffers(sizes(50), sizes(-50)).differences[0]?.larger).toBe('first');
  });

  it('finds a field that is absent in one set, and finds no difference between small or equal sets', () => {
    const without: FieldMap[] = Array.from({ length: 20 }, () => ({ id: 1 }));
    const withField: FieldMap[] = Array.from({ length: 20 }, () => ({ id: 1, memo: 'x' }));
    expect(whatDiffers(without, withField).differences[0]).toMatchObject({
      field: 'memo',
      first: 20,
      second: 0,
      value: '(absent)',
    });
    expect(whatDiffers(without.slice(0, 2), withField.slice(0, 2)).differences).toEqual([]);
    expect(whatDiffers(withField, withField).differences).toEqual([]);
    expect(whatDiffers([], []).differences).toEqual([]);
    expect(whatDiffers([{ toString: 'x' }], [{ constructor: 'y' }]).differences).toEqual([]);
  });
});

describe('flatFields', () => {
  it('returns the scalars of a value, and the lengths of strings and lists', () => {
    expect(
      flatFields('input', {
        amount: 12,
        card: { country: 'DE' },
        items: ['a', { n: null }],
        long: 'x'.repeat(300),
      }),
    ).toEqual({
      'input.amount': 12,
      'input.card.country': 'DE',
      'input.card.country.length': 2,
      'input.items.length': 2,
      'input.items[0]': 'a',
      'input.items[0].length': 1,
      'input.items[1].n': null,
      'input.long.length': 300,
    });
  });

  it('returns at most 200 fields, however large and deep the value is', () => {
    let deep: object = {};
    for (let level = 0; level < 10_000; level += 1) deep = { deep };
    expect(flatFields('x', deep)).toEqual({});
    const wide = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`k${n}`, n]));
    expect(Object.keys(flatFields('x', wide))).toHaveLength(200);
  });
});
