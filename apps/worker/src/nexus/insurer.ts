import { startWorkflow, WorkflowRunOperationHandler } from '@temporalio/nexus';
import { serviceHandler } from 'nexus-rpc';
import { policy } from './policy.ts';
import { insurance, type Parcel } from './insurance.ts';

/** Handles the operations of `insurance`. A worker in the insurer's namespace registers this handler. */
export const insurer = serviceHandler(insurance, {
  quote: async (_context, { customer, cents }) =>
    `${(cents / 10_000).toFixed(2)} to insure the parcel of ${customer}`,
  insure: new WorkflowRunOperationHandler<Parcel, string>((context, parcel) =>
    startWorkflow(context, policy, { workflowId: `policy-${context.requestId}`, args: [parcel] }),
  ),
});
