import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities.ts';

export interface PaymentInput {
  readonly customer: string;
  readonly cents: number;
}

const { authorizeCard } = proxyActivities<Activities>({
  startToCloseTimeout: '2 minutes',
  retry: { initialInterval: '200 milliseconds' },
});

/** A child workflow of `checkout`, which fails because the bank refuses the payment. */
export async function payment(input: PaymentInput): Promise<void> {
  await authorizeCard(input.customer, input.cents);
}
