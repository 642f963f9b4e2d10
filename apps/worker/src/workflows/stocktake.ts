import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities.ts';

export interface StocktakeInput {
  readonly warehouse: string;
  /** Each shelf is an activity with three events. */
  readonly shelves: number;
  /** The number of shelves that are counted at the same time. */
  readonly counters: number;
}

const { countShelf } = proxyActivities<Activities>({ startToCloseTimeout: '2 minutes' });

/** Produces a long history: thousands of events with payloads. */
export async function stocktake({ warehouse, shelves, counters }: StocktakeInput): Promise<string> {
  let articles = 0;
  for (let first = 1; first <= shelves; first += counters) {
    const length = Math.min(counters, shelves - first + 1);
    const counted = await Promise.all(
      Array.from({ length }, (_, index) => countShelf(warehouse, first + index)),
    );
    articles += counted.reduce((sum, { quantity }) => sum + quantity, 0);
  }
  return `${articles} articles on ${shelves} shelves in ${warehouse}`;
}
