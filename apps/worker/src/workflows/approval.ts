import {
  ActivityCancellationType,
  CancellationScope,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities.ts';

export interface ApprovalInput {
  readonly requester: string;
  readonly cents: number;
}

export const remind = defineSignal<[text: string]>('remind');
export const approve = defineUpdate<string, [approver: string]>('approve');
export const openSince = defineQuery<string>('openSince');
export const mayApprove = defineQuery<boolean, [department: string]>('mayApprove');

const { waitForApprover } = proxyActivities<Activities>({
  startToCloseTimeout: '30 days',
  heartbeatTimeout: '15 seconds',
  // Waits for the activity to confirm the cancellation. The event ActivityTaskCanceled then contains the
  // details.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});
const { withdrawRequest } = proxyLocalActivities<Activities>({ startToCloseTimeout: '10 seconds' });

/** Waits for an approver until the workflow is cancelled, is terminated, or times out. */
export async function approval({ requester, cents }: ApprovalInput): Promise<string> {
  const amount = (cents / 100).toFixed(2);
  const show = (reminder: string) =>
    setCurrentDetails(
      `**${requester}** asks for **${amount}**.\n\n- Accounts can approve it, with the update \`approve\`.\n- Last reminder: ${reminder}`,
    );
  show('none');
  setHandler(remind, (text) => {
    upsertMemo({ reminder: text });
    show(text);
  });
  const { startTime } = workflowInfo();
  setHandler(openSince, () => startTime.toISOString(), { description: 'When the request was made' });
  setHandler(mayApprove, (department) => department === 'accounts', {
    description: 'Whether a department can approve the request',
  });
  const approved = new Promise<string>((resolve) => {
    setHandler(
      approve,
      (approver) => {
        resolve(approver);
        return `${requester} gets ${amount}`;
      },
      { description: 'Approves the request' },
    );
  });
  const request = new CancellationScope();
  const waiting = request.run(() => waitForApprover(requester, cents));
  try {
    const approver = await Promise.race([approved, waiting]);
    request.cancel();
    await waiting.catch(() => undefined);
    return `${approver} approved ${amount} for ${requester}`;
  } catch (error) {
    if (isCancellation(error)) await CancellationScope.nonCancellable(() => withdrawRequest(requester));
    throw error;
  }
}
