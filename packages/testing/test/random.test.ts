import { expect, it } from 'vitest';
import { Random } from '../src/random.ts';

it('repeats the sequence of a seed', () => {
  // Published outputs of mulberry32 for the seed 1.
  const random = new Random(1);
  expect([random.next(), random.next(), random.next()]).toEqual([
    0.6270739405881613, 0.002735721180215478, 0.5274470399599522,
  ]);
  expect(new Random(7).bytes(32)).toEqual(new Random(7).bytes(32));
  expect(new Random(7).bytes(32)).not.toEqual(new Random(8).bytes(32));
});

it('refuses to pick an item of an empty list', () => {
  expect(() => new Random(1).pick([])).toThrow(RangeError);
});
