import { availableParallelism } from 'node:os';

/** Each vitest runs two files or more at the same time. The tests wait for about two thirds of their time. */
const LANES = Math.max(2, Math.floor(availableParallelism() / 2));

/** Does the work for every item, for some at the same time, in the order of the items. */
export async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const lane = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}
