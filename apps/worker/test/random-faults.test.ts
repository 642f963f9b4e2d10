import { describe, expect, it } from 'vitest';
import { type FaultKind, faultKinds, planFaults } from './chaos/random/plan.ts';
import { ReadinessWatch, reportsReady } from './chaos/random/readiness-watch.ts';
import { type Disruption, findRepeats, type ProcessRun, refusedUnconfirmed } from './chaos/random/repeats.ts';
import type { Readiness } from './chaos/settings.ts';

/*
 * Tests how `pnpm bench chaos random` plans faults and detects broken promises. With blind detectors, every
 * promise would seem to be kept.
 */

describe('the random fault plan', () => {
  const plan = planFaults(7, 45, 1_500_000);

  it('is the same for the same seed, and different for another seed', () => {
    expect(planFaults(7, 45, 1_500_000)).toEqual(plan);
    expect(planFaults(8, 45, 1_500_000)).not.toEqual(plan);
  });

  it('contains every kind of fault at least twice, and starts every fault within the given time', () => {
    expect(plan).toHaveLength(45);
    for (const kind of faultKinds)
      expect(plan.filter((fault) => fault.kind === kind).length, kind).toBeGreaterThanOrEqual(2);
    expect(plan.every(({ atMs, lengthMs }) => atMs >= 0 && atMs < 1_500_000 && lengthMs > 0)).toBe(true);
  });
});

const fault = (from: number, to: number, pids: Disruption['pids']): Disruption => ({ from, to, pids });

describe('an activity that runs again', () => {
  const runs: ProcessRun[] = [
    { activity: 'order pay', pid: 1, at: 1_000 },
    { activity: 'order pack', pid: 1, at: 2_000 },
    { activity: 'order pay', pid: 2, at: 9_000 },
  ];

  it.each([
    ['its process is killed', fault(1_500, 1_500, [1])],
    ['its process is frozen, and runs the activity late', fault(500, 8_000, [2])],
    ['its process was frozen, and runs two attempts late', fault(100, 900, [1])],
    ['Temporal is restarted', fault(2_000, 4_000, 'all')],
    ['Temporal has not returned', fault(2_000, Number.POSITIVE_INFINITY, 'all')],
  ])('is explained when %s', (_, disruption) => {
    expect(findRepeats(runs, [disruption])).toEqual({ all: 1, unexplained: [] });
  });

  it.each([
    ['nothing happens', undefined],
    ['another process is killed', fault(1_500, 1_500, [3])],
    ['its process is killed later', fault(9_500, 9_500, [1, 2])],
    ['Temporal was restarted before', fault(-9_000, -8_000, 'all')],
  ])('is not explained when %s', (_, disruption) => {
    const { all, unexplained } = findRepeats(runs, disruption ? [disruption] : []);
    expect([all, unexplained.length]).toEqual([1, 1]);
  });
});

const at = (kind: FaultKind, from: number, to: number) => ({ kind, from, to });

describe('a refusal without a grace period', () => {
  it.each([
    [
      'an outage precedes the refusal',
      at('black hole', 0, 9_000),
      at('disabled', 10_000, 20_000),
      [10_000, 20_000],
    ],
    [
      'an outage hides the refusal',
      at('quota', 12_000, 25_000),
      at('denied twice', 10_000, 20_000),
      [12_000, 25_000],
    ],
    ['a clock is moved', at('clock jump', 15_000, 16_000), at('destroyed', 10_000, 20_000), [15_000, 20_000]],
  ])('is detected when %s', (_, pause, refusal, [from, to]) => {
    expect(refusedUnconfirmed([refusal, pause], 5_000)).toEqual([{ from, to, pids: 'all' }]);
  });

  it.each([
    ['the outage has ended long before', at('slow', 0, 4_000), at('disabled', 10_000, 20_000)],
    ['the outage begins later', at('slow', 20_000, 30_000), at('disabled', 10_000, 20_000)],
    ['only the store fails', at('full disk', 0, 30_000), at('disabled', 10_000, 20_000)],
    ['no key is refused', at('slow', 0, 30_000), at('rotated', 10_000, 20_000)],
  ])('is not detected when %s', (_, ...faults) => {
    expect(refusedUnconfirmed(faults, 5_000)).toEqual([]);
  });
});

const seconds = (length: number, isReady: boolean, hasFailed: boolean) =>
  Array.from({ length }, () => [isReady, hasFailed] as const);

/** Returns one sample per second: whether the process is ready, and whether calls failed. */
const watch = (samples: readonly (readonly [isReady: boolean, hasFailed: boolean])[]): ReadinessWatch => {
  const watched = new ReadinessWatch(15_000);
  let failures = 3;
  watched.note({ at: -1_000, isReady: false, failures });
  for (const [second, [isReady, hasFailed]] of samples.entries())
    watched.note({ at: second * 1_000, isReady, failures: (failures += Number(hasFailed)) });
  return watched;
};

describe('a process that reports ready while its tasks fail', () => {
  it('is reported once, after the time limit, even if not every second has a failure', () => {
    expect(watch(seconds(40, true, true)).violations).toBe(1);
    const every = [...seconds(1, true, true), ...seconds(8, true, false)];
    expect(watch([...every, ...every, ...every]).violations).toBe(1);
  });

  it('is reported again if it was unready in between', () => {
    const one = seconds(20, true, true);
    expect(watch([...one, ...seconds(5, false, true), ...one]).violations).toBe(2);
  });

  it.each([
    ['the process becomes unready in time', [...seconds(14, true, true), ...seconds(40, false, true)]],
    ['the tasks fail only for a short time', [...seconds(14, true, true), ...seconds(40, true, false)]],
    [
      'single calls fail at long intervals',
      [1, 2, 3].flatMap(() => [...seconds(1, true, true), ...seconds(12, true, false)]),
    ],
  ])('is not reported when %s', (_, samples) => {
    expect(watch(samples).violations).toBe(0);
  });
});

const answer = (http: number, status: Readiness['status']): Readiness => ({
  http,
  status,
  phase: 'polling',
  restarts: 0,
  autonomySeconds: 60,
});

describe('the state that a process reports while its tasks fail', () => {
  it.each([
    ['ready', 'kms_unavailable', true],
    ['ready', 'key_disabled', true],
    ['degraded', 'key_disabled', true],
    ['degraded', 'data_key_exhausted', true],
    ['degraded', 'kms_unavailable', false],
  ] as const)('counts as ready if it is %s and the tasks fail with %s: %s', (status, code, expected) => {
    expect(reportsReady(answer(200, status), { code })).toBe(expected);
  });

  it('does not count as ready if the response is 503 or missing', () => {
    expect(reportsReady(answer(503, 'not_ready'), { code: 'key_disabled' })).toBe(false);
    expect(reportsReady(undefined, { code: 'key_disabled' })).toBe(false);
  });
});
