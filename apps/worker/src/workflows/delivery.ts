import { getExternalWorkflowHandle, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities, Handover } from '../activities.ts';

export interface DeliveryInput {
  readonly customer: string;
  readonly address: string;
}

const { handOver } = proxyActivities<Activities>({ startToCloseTimeout: '2 minutes' });

/** Hands the parcel over, and signals the parent. `order` starts this workflow as a child. */
export async function delivery({ customer, address }: DeliveryInput): Promise<Handover> {
  const proof = await handOver(customer, address);
  const { parent } = workflowInfo();
  if (parent) {
    await getExternalWorkflowHandle(parent.workflowId, parent.runId).signal<[string]>(
      'addNote',
      `The courier met ${customer}`,
    );
  }
  return proof;
}
