import { expect, it } from 'vitest';
import { Random } from '../src/random.ts';

it('Random returns the same sequence for the same seed', () => {
  // Published outputs of mulberry32 with the seed 1.
  const random = new Random(1);
  expect([random.next(), random.next(), random.next()]).toEqual([
    0.6270739405881613, 0.002735721180215478, 0.5274470399599522,
  ]);
  expect(new Random(7).bytes(32)).toEqual(new Random(7).bytes(32));
  expect(new Random(7).bytes(32)).not.toEqual(new Random(8).bytes(32));
});

it('Random throws if it must pick an item from an empty list', () => {
  expect(() => new Random(1).pick([])).toThrow(RangeError);
});
