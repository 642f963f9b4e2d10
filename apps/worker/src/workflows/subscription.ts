import { makeContinueAsNewFunc, proxyActivities, sleep } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

export interface SubscriptionInput {
  readonly customer: string;
  /** Billing periods in all; each is a run of its own. */
  readonly periods: number;
}

const { chargeCard } = proxyActivities<Activities>({ startToCloseTimeout: '2 minutes' });

/** A chain of runs: one for each billing period, the memo saying how far it is. `receipts` are the earlier runs'. */
export async function subscription(
  input: SubscriptionInput,
  receipts: readonly string[] = [],
): Promise<readonly string[]> {
  const { customer, periods } = input;
  const charged = [...receipts, await chargeCard({ customer, cents: 990 })];
  if (charged.length >= periods) return charged;
  await sleep('500 milliseconds', { summary: `Next month of ${customer}` });
  const next = makeContinueAsNewFunc<typeof subscription>({
    memo: { standing: `${customer} has paid ${charged.length} of ${periods}` },
  });
  return next(input, charged);
}
