import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities.ts';

export interface PriceListInput {
  readonly supplier: string;
  /** The number of articles. A line has about 40 bytes. */
  readonly articles: number;
}

const { fetchPriceList, checkPriceList } = proxyActivities<Activities>({ startToCloseTimeout: '2 minutes' });

/**
 * Passes a price list of any size between activities. A worker with external storage keeps the list there.
 */
export async function priceList({ supplier, articles }: PriceListInput): Promise<string> {
  const list = await fetchPriceList(supplier, articles);
  return checkPriceList(supplier, list);
}
