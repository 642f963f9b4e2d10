import { proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities.ts';

const { charge } = proxyActivities<typeof activities>({ startToCloseTimeout: '1 minute' });

export async function order(card: string): Promise<string> {
  return await charge(card);
}
