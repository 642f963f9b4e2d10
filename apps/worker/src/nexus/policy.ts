import { sleep } from '@temporalio/workflow';
import type { Parcel } from './insurance.ts';

/** Runs in the insurer's namespace, for a Nexus operation that a workflow of the shop started. */
export async function policy({ customer, cents }: Parcel): Promise<string> {
  await sleep('100 milliseconds', { summary: `Check the parcel of ${customer}` });
  return `Policy for ${customer} over ${(cents / 100).toFixed(2)}`;
}
