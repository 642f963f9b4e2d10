import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { batchPerTick } from '../../src/server/listen.ts';

it('resumes callers that began to wait in the same event loop turn together, in the order of their calls', async () => {
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

it('makes a later caller wait for the next turn', async () => {
  const turn = batchPerTick();
  const first = turn();
  await nextTurn();
  expect(turn()).not.toBe(first);
});

it('resumes at most 32 callers together, and the others in the next turn', async () => {
  const turn = batchPerTick();
  const turns = Array.from({ length: 65 }, () => turn());
  expect(new Set(turns).size).toBe(3);
  expect(turns.map((one) => turns.indexOf(one))).toEqual(
    turns.map((_, n) => (n < 32 ? 0 : n < 64 ? 32 : 64)),
  );
  await Promise.all(turns);
});
