import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { batchPerTick } from '../../src/server/listen.ts';

test('those who come in one turn of the event loop go on in step, in their order', async () => {
  const turn = batchPerTick();
  const steps: string[] = [];
  const work = async (name: string): Promise<void> => {
    await turn();
    steps.push(`${name}1`);
    await Promise.resolve();
    steps.push(`${name}2`);
  };
  await Promise.all([work('a'), work('b')]);
  expect(steps).toEqual(['a1', 'b1', 'a2', 'b2']);
});

test('who comes later waits for a turn of their own', async () => {
  const turn = batchPerTick();
  const first = turn();
  await nextTurn();
  expect(turn()).not.toBe(first);
});

test('no more go in step than 32; the others follow in a turn of their own', async () => {
  const turn = batchPerTick();
  const turns = Array.from({ length: 65 }, () => turn());
  expect(new Set(turns).size).toBe(3);
  expect(turns.map((one) => turns.indexOf(one))).toEqual(
    turns.map((_, n) => (n < 32 ? 0 : n < 64 ? 32 : 64)),
  );
  await Promise.all(turns);
});
