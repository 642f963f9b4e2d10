import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { FairTurns } from '../../src/turns/fair-turns.ts';

afterEach(() => vi.useRealTimers());

const MiB = 1024 * 1024;
const taker = () => ({ turnsEnd: 0 });

/** Creates turns that two other callers have just used, so that no caller counts as alone. */
function shared(): FairTurns {
  const turns = new FairTurns();
  for (const caller of [taker(), taker()]) void turns.take(caller, 0);
  return turns;
}

/** Takes turns, and returns the names of the callers in the order in which they got turns. */
function order(turns: FairTurns) {
  const given: string[] = [];
  const take = (name: string, of: { turnsEnd: number }, work: number): void => {
    const turn = turns.take(of, work);
    if (turn === undefined) given.push(name);
    else void turn.then(() => given.push(name));
  };
  return { given, take };
}

it('lets small work start immediately', () => {
  const turns = shared();
  const one = taker();
  for (let n = 0; n < 64; n += 1) expect(turns.take(one, 16 * 1024)).toBeUndefined();
});

it('gives the next turn to the caller that has used the least time', async () => {
  const turns = shared();
  const { given, take } = order(turns);
  const [eager, other] = [taker(), taker()];
  for (let n = 0; n < 20; n += 1) take('eager', eager, MiB);
  take('other', other, 16 * 1024);
  await nextTurn();
  await nextTurn();
  expect(given.slice(0, 2)).toEqual(['eager', 'other']);
  while (turns.waiting > 0) await nextTurn();
  expect(given).toHaveLength(21);
});

it('gives callers equal amounts of work, not equal numbers of turns', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const turns = shared();
  const { given, take } = order(turns);
  const [large, small] = [taker(), taker()];
  for (let n = 0; n < 4; n += 1) take('large', large, 4 * MiB);
  for (let n = 0; n < 32; n += 1) take('small', small, MiB);
  while (turns.waiting > 0) {
    await nextTurn();
    vi.advanceTimersByTime(5);
  }
  const untilLast = given.lastIndexOf('large');
  expect(given.slice(0, untilLast).filter((name) => name === 'small').length).toBeGreaterThanOrEqual(10);
  expect(given.slice(0, untilLast).filter((name) => name === 'small').length).toBeLessThanOrEqual(16);
});

it('lets new small requests go before queued large work', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const turns = shared();
  const { given, take } = order(turns);
  const [large, small] = [taker(), taker()];
  for (let n = 0; n < 3; n += 1) take('large', large, 10 * MiB);
  for (let step = 0; step < 3; step += 1) {
    take('small', small, 16 * 1024);
    await nextTurn();
  }
  expect(given.slice(0, 3)).toEqual(['small', 'small', 'small']);
  while (turns.waiting > 0) {
    await nextTurn();
    vi.advanceTimersByTime(5);
  }
  await nextTurn();
  expect(given).toHaveLength(6);
});

it('gives a turn to work of any size', async () => {
  const turns = shared();
  const { given, take } = order(turns);
  const one = taker();
  for (let n = 0; n < 3; n += 1) take('large', one, 100 * MiB);
  while (turns.waiting > 0) await nextTurn();
  await nextTurn();
  expect(given).toHaveLength(3);
});

it('does not count work against a caller if no other caller was waiting', async () => {
  const turns = shared();
  const [long, late] = [taker(), taker()];
  for (let n = 0; n < 50; n += 1) {
    void turns.take(long, MiB);
    await nextTurn();
  }
  await nextTurn();
  const { given, take } = order(turns);
  for (let n = 0; n < 8; n += 1) {
    take('late', late, MiB);
    take('long', long, MiB);
  }
  while (turns.waiting > 0) await nextTurn();
  expect(given.slice(0, 8).filter((name) => name === 'long').length).toBeGreaterThanOrEqual(3);
});

it('does not make a caller wait while no other caller is active', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const turns = shared();
  const one = taker();
  expect(turns.take(one, 10 * MiB)).toBeInstanceOf(Promise);
  while (turns.waiting > 0) {
    await nextTurn();
    vi.advanceTimersByTime(20);
  }
  vi.advanceTimersByTime(10_000);
  for (let n = 0; n < 64; n += 1) expect(turns.take(one, 10 * MiB)).toBeUndefined();
  expect(turns.take(taker(), MiB)).toBeInstanceOf(Promise);
});
