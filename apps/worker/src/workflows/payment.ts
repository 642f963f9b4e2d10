import { proxyActivities } from '@temporalio/workflow';
import type * as activities from '../activities/index.ts';

export interface PaymentInput {
  readonly customer: string;
  readonly cents: number;
}

const { authorizeCard } = proxyActivities<typeof activities>({
  startToCloseTimeout: '2 minutes',
  retry: { initialInterval: '200 milliseconds' },
});

/** Child of `checkout`. */
export async function payment(input: PaymentInput): Promise<void> {
  await authorizeCard(input.customer, input.cents);
}
