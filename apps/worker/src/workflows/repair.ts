import {
  ActivityCancellationType,
  ActivityFailure,
  CancelledFailure,
  condition,
  defineQuery,
  defineSignal,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow';
import type { Activities } from '../activities.ts';

export interface RepairInput {
  readonly customer: string;
  readonly article: string;
}

/** The signal with which the activity sends its task token, in base64. */
const workshopTicket = defineSignal<[ticket: string]>('workshopTicket');
/**
 * Returns the task token with which the workshop completes the activity, or an empty string while the token
 * is not known.
 */
export const ticket = defineQuery<string>('ticket');
export const collect = defineSignal<[collector: string]>('collect');

const { sendToWorkshop } = proxyActivities<Activities>({
  startToCloseTimeout: '30 days',
  retry: { maximumAttempts: 1 },
  // Waits until the workshop reports the cancellation and its details.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/**
 * Waits until another process, the workshop, completes the activity with the activity's task token, and then
 * waits for the customer. If the customer cancels the repair, the workshop reports the cancellation with
 * details.
 */
export async function repair({ customer, article }: RepairInput): Promise<string> {
  let taskToken = '';
  let collector: string | undefined;
  setHandler(workshopTicket, (token) => {
    taskToken = token;
  });
  setHandler(ticket, () => taskToken);
  setHandler(collect, (name) => {
    collector = name;
  });
  let report: string;
  try {
    report = await sendToWorkshop(customer, article);
  } catch (error) {
    if (!(error instanceof ActivityFailure && error.cause instanceof CancelledFailure)) throw error;
    return `Cancelled for ${customer}: ${String(error.cause.details[0])}`;
  }
  await condition(() => collector !== undefined);
  return `${report}; ${collector} has collected it for ${customer}`;
}
