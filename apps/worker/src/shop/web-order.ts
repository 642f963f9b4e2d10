import { proxyActivities } from '@temporalio/workflow';
import type { ShopActivities } from './builds.ts';
import type { WebOrderInput } from './orders.ts';

const { charge, bringParcel } = proxyActivities<ShopActivities>({ startToCloseTimeout: '1 minute' });

/** A short order of the sample shop. */
export async function webOrder(input: WebOrderInput): Promise<string> {
  const receipt = await charge(input);
  return `${receipt}. ${await bringParcel(input)}`;
}
