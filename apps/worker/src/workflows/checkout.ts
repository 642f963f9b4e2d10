import { ApplicationFailure, executeChild, workflowInfo } from '@temporalio/workflow';
import { payment, type PaymentInput } from './payment.ts';

/** Fails because its child workflow's payment is refused. The chain of causes ends with the bank's refusal. */
export async function checkout(input: PaymentInput): Promise<void> {
  try {
    await executeChild(payment, {
      workflowId: `${workflowInfo().workflowId}-payment`,
      args: [input],
      // The second run contains the first run's failure as `continuedFailure`.
      retry: { maximumAttempts: 2, initialInterval: '200 milliseconds' },
    });
  } catch (error) {
    throw ApplicationFailure.create({
      message: `Checkout of ${input.customer} failed`,
      type: 'CheckoutFailed',
      nonRetryable: true,
      details: [{ reason: `${input.customer} could not pay` }],
      ...(error instanceof Error && { cause: error }),
    });
  }
}
