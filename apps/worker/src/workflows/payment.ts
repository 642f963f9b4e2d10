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

/** Fails because the bank refuses the payment. `checkout` starts this workflow as a child. */
export async function payment(input: PaymentInput): Promise<void> {
  await authorizeCard(input.customer, input.cents);
}
