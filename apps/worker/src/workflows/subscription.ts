import { makeContinueAsNewFunc, proxyActivities, sleep } from '@temporalio/workflow';
import type { Activities } from '../activities.ts';

export interface SubscriptionInput {
  readonly customer: string;
  /** The number of billing periods. Each period is a separate run. */
  readonly periods: number;
}

const { chargeCard } = proxyActivities<Activities>({ startToCloseTimeout: '2 minutes' });

/**
 * Charges the customer once per run, and continues as new for the next billing period. The memo shows the
 * progress.
 *
 * @param receipts the receipts of the earlier runs
 */
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
