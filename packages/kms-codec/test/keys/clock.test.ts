import * as fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { elapsedClock } from '../../src/keys/clock.ts';

/** Clocks that a test moves. The time of day is in whole milliseconds, as from `Date.now`. */
function clocks() {
  const at = { wall: 1_790_000_000_000, running: 5_000 };
  const elapsed = elapsedClock({ wall: () => Math.floor(at.wall), running: () => at.running });
  const start = elapsed();
  return {
    passed: () => elapsed() - start,
    move: (wall: number, running: number) => {
      at.wall += wall;
      at.running += running;
    },
  };
}

// [C-6]
it('counts the time in which the machine was suspended, even if the time of day is set back later', () => {
  const { passed, move } = clocks();
  move(3_600_000, 0);
  expect(passed()).toBeCloseTo(3_600_000, -1);
  move(-7_200_000, 0);
  move(60_000, 60_000);
  expect(passed()).toBeCloseTo(3_660_000, -1);
});

it('does not drift, although it reads its two clocks one after the other, and one of them only in whole milliseconds', () => {
  const { passed, move } = clocks();
  for (let n = 0; n < 100_000; n += 1) {
    move(0.25, 0.25);
    passed();
  }
  expect(passed()).toBeGreaterThanOrEqual(25_000 - 1);
  expect(passed()).toBeLessThanOrEqual(25_000 + 2);
});

it('does not drift if the time of day repeatedly falls back by up to 100 ms and catches up', () => {
  const { passed, move } = clocks();
  for (let n = 0; n < 100; n += 1) {
    move(400 - 100, 400);
    passed();
    move(400 + 100, 400);
    passed();
  }
  expect(passed()).toBe(80_000);
});

it('starts at the time of day', () => {
  expect(elapsedClock({ wall: () => 1_790_000_000_000, running: () => 5_000 })()).toBe(1_790_000_000_000);
});

it('reads only the time of day until 250 ms after it has read both clocks', () => {
  let wall = 0;
  const running = vi.fn(() => 0);
  const elapsed = elapsedClock({ wall: () => wall, running });
  elapsed();
  running.mockClear();
  for (wall of [0, 0, 249]) elapsed();
  expect(running).not.toHaveBeenCalled();
  wall = 250;
  elapsed();
  expect(running).toHaveBeenCalledOnce();
});

it('never goes back, and catches up within 250 ms with all time that has passed, however the time of day is set', () => {
  const set = fc.oneof(
    fc.integer({ min: -300, max: 300 }),
    fc.integer({ min: -10_000_000, max: 10_000_000 }),
  );
  const ms = fc.oneof(fc.nat(300), fc.nat(10_000_000));
  fc.assert(
    fc.property(fc.array(fc.record({ set, ms, settles: fc.boolean() }), { maxLength: 50 }), (steps) => {
      const { passed, move } = clocks();
      let real = 0;
      let before = 0;
      const read = (): number => {
        const now = passed();
        expect(now).toBeGreaterThanOrEqual(before);
        before = now;
        return now;
      };
      for (const { set: by, ms: after, settles } of steps) {
        move(by, 0);
        read();
        move(after, after);
        read();
        real += after;
        if (!settles) continue;
        move(250, 250);
        real += 250;
        expect(read()).toBeGreaterThanOrEqual(real - 1);
      }
    }),
  );
});
