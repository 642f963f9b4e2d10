/**
 * Returns a generator of numbers from 0 to 1, determined by a seed: mulberry32
 * (https://gist.github.com/tommyettinger/46a874533244883189143505d203312c).
 */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns functions that draw random values from lists and ranges. */
export function drawFrom(seed: number) {
  const random = randomFrom(seed);
  const whole = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1));
  return {
    random,
    whole,
    one: <T>(list: readonly T[]): T => list[whole(0, list.length - 1)]!,
    hex: (digits: number): string => Array.from({ length: digits }, () => whole(0, 15).toString(16)).join(''),
    /** Returns a normally distributed number (Box and Muller 1958). */
    normal: (mean: number, deviation: number): number =>
      mean + deviation * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  };
}

export type Draw = ReturnType<typeof drawFrom>;
