import {
  ActivityCancellationType,
  CancellationScope,
  defineSignal,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  upsertMemo,
} from '@temporalio/workflow';
import type { Activities } from '../activities.ts';

export interface ApprovalInput {
  readonly requester: string;
  readonly cents: number;
}

export const remind = defineSignal<[text: string]>('remind');

const { waitForApprover } = proxyActivities<Activities>({
  startToCloseTimeout: '30 days',
  heartbeatTimeout: '5 seconds',
  // Waits for the activity to confirm the cancellation. ActivityTaskCanceled contains the details.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});
const { withdrawRequest } = proxyLocalActivities<Activities>({ startToCloseTimeout: '10 seconds' });

/** Waits for an approver who never comes, until the workflow is cancelled, terminated or timed out. */
export async function approval({ requester, cents }: ApprovalInput): Promise<void> {
  setHandler(remind, (text) => upsertMemo({ reminder: text }));
  try {
    await waitForApprover(requester, cents);
  } catch (error) {
    if (isCancellation(error)) await CancellationScope.nonCancellable(() => withdrawRequest(requester));
    throw error;
  }
}
