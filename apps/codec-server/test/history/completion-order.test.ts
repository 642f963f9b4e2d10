import { expect, test } from 'vitest';
import { inCompletionOrder } from '../../src/history/completion-order.ts';
import { collect } from '../support/lines.ts';

test('gives each result once, those that are ready first', async () => {
  const gates = new Map([0, 1, 2].map((n) => [n, Promise.withResolvers<number>()] as const));
  const results = inCompletionOrder([0, 1, 2], {
    start: (n) => gates.get(n)!.promise,
    weigh: () => 1,
    limit: 10,
  });
  gates.get(2)!.resolve(2);
  expect((await results.next()).value).toBe(2);
  gates.get(0)!.resolve(0);
  expect((await results.next()).value).toBe(0);
  gates.get(1)!.resolve(1);
  expect(await collect(results)).toEqual([1]);
});

test('starts no more than the limit holds, counting what has not been taken', async () => {
  let started = 0;
  const start = async (n: number): Promise<number> => {
    started += 1;
    return n;
  };
  const results = inCompletionOrder(
    Array.from({ length: 10 }, (_, n) => n),
    { start, weigh: () => 4, limit: 8 },
  );
  await results.next();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(started).toBe(2);
  expect(await collect(results)).toHaveLength(9);
});

test('starts one that alone is heavier than the limit', async () => {
  const results = inCompletionOrder([1, 2], { start: async (n) => n, weigh: () => 100, limit: 8 });
  expect(await collect(results)).toEqual([1, 2]);
});

test('ends at once when there is nothing to do', async () => {
  expect(await collect(inCompletionOrder([], { start: async () => 1, weigh: () => 1, limit: 1 }))).toEqual(
    [],
  );
});
