import { executeChild, proxyActivities, sleep, workflowInfo } from '@temporalio/workflow';
import type { Activities } from './worker.ts';

/** Runs at most once: if its input cannot be decrypted at the first attempt, its workflow fails. */
const { pay } = proxyActivities<Activities>({
  startToCloseTimeout: '60 seconds',
  retry: { maximumAttempts: 1 },
});
const { pack } = proxyActivities<Activities>({
  startToCloseTimeout: '60 seconds',
  heartbeatTimeout: '10 seconds',
});

/** A child, a payment that must not be repeated, a timer, and an activity that sends heartbeats. */
export async function shipment(customer: string): Promise<string> {
  const receipt = await pay(customer);
  await sleep(300);
  const parcel = await pack(receipt);
  const { workflowId } = workflowInfo();
  return executeChild(handover, { workflowId: `${workflowId}-handover`, args: [parcel] });
}

export async function handover(parcel: string): Promise<string> {
  return pay(`handover of ${parcel}`);
}
