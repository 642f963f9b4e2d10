import { setTimeout as sleep } from 'node:timers/promises';
import { ActivityNotFoundError, WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { ResolvedRule } from '@temporal-kms/kms-codec';
import { remind } from '../workflows/approval.ts';
import { askShop, closeBasket, putIntoBasket } from '../workflows/basket.ts';
import { messageCourier } from '../workflows/courier.ts';
import { addNote, changeAddress, progress, redeemVoucher } from '../workflows/order.ts';
import { collect, ticket } from '../workflows/repair.ts';
import type { SampleName, StartRequest } from './catalogue.ts';
import type { SampleClients, SampleFormat } from './clients.ts';

export interface SampleRun {
  readonly workflowId: string;
  readonly sample: SampleName;
  /** The format of the starter's payloads. The worker always writes its own format. */
  readonly format?: SampleFormat;
  readonly input?: StartRequest['input'];
  readonly options?: StartRequest['options'];
  /** Whether the workflow ends (`closed`) or keeps running (`open`). */
  readonly ends: 'closed' | 'open';
  /**
   * Acts on the running workflow. This function is also called if an earlier call has started the workflow,
   * and the workflow should be closed but is still running.
   */
  readonly afterwards?: (handle: WorkflowHandle, clients: SampleClients) => Promise<void>;
}

/** The sample workflows of `pnpm dev`, in starting order. Together, they show every state of a workflow. */
export const sampleData: readonly SampleRun[] = [
  { workflowId: 'order-1001', sample: 'order', ends: 'closed', afterwards: changeMyMind },
  {
    workflowId: 'order-1002',
    sample: 'order',
    ends: 'closed',
    format: 'envelope',
    input: { customer: 'Pavel Novák', address: 'Bridge Road 17, Brno' },
    afterwards: thank,
  },
  {
    workflowId: 'order-1003',
    sample: 'order',
    ends: 'closed',
    format: 'direct',
    input: { customer: 'Leila Haddad', address: 'Cedar Lane 9, Tyre' },
    afterwards: thank,
  },
  {
    workflowId: 'order-1004-plaintext',
    sample: 'order',
    ends: 'closed',
    format: 'plain',
    input: { customer: 'Alex Example', address: 'Readable Road 1' },
    afterwards: thank,
  },
  { workflowId: 'checkout-2001', sample: 'checkout', ends: 'closed' },
  {
    workflowId: 'courier-3001',
    sample: 'courier',
    ends: 'open',
    afterwards: (handle) => handle.signal(messageCourier, 'ring twice at number 4'),
  },
  { workflowId: 'settlement-5001', sample: 'settlement', ends: 'open' },
  { workflowId: 'approval-6001-cancelled', sample: 'approval', ends: 'closed', afterwards: cancelWaiting },
  {
    workflowId: 'approval-6002-timed-out',
    sample: 'approval',
    ends: 'closed',
    options: { workflowRunTimeout: '15 seconds' },
  },
  {
    workflowId: 'approval-6003-terminated',
    sample: 'approval',
    ends: 'closed',
    afterwards: terminateWithDetails,
  },
  { workflowId: 'approval-6004-waiting', sample: 'approval', ends: 'open', afterwards: remindInPlaintext },
  { workflowId: 'subscription-7001', sample: 'subscription', ends: 'closed' },
  { workflowId: 'loyalty-report-8001', sample: 'loyalty-report', ends: 'open' },
  { workflowId: 'basket-9001', sample: 'basket', ends: 'closed', afterwards: shop },
  { workflowId: 'repair-9101', sample: 'repair', ends: 'closed', afterwards: repairAndCollect },
  {
    workflowId: 'repair-9102-leaked',
    sample: 'repair',
    ends: 'closed',
    input: { customer: 'Vera Simic', article: 'coffee-mill' },
    afterwards: failInPlaintext,
  },
  {
    workflowId: 'daily-report-9201-no-worker',
    sample: 'daily-report',
    ends: 'open',
    options: { taskQueue: 'reports' },
  },
  // This sample is last and has a low priority, because it takes a long time.
  { workflowId: 'stocktake-4001', sample: 'stocktake', ends: 'closed' },
];

/**
 * Returns the samples whose format is in `reads`, the formats that a worker of the namespace reads. A worker
 * would refuse other formats.
 */
export const samplesReadWith = (reads: ResolvedRule['reads']): readonly SampleRun[] =>
  sampleData.filter(({ format = 'envelope-v2' }) => format === 'plain' || reads.has(format));

/**
 * Sends an update that completes, an update that the validator rejects, an update that fails, a query, and
 * the note that ends the order.
 */
async function changeMyMind(handle: WorkflowHandle): Promise<void> {
  const id = (step: string) => ({ updateId: `${handle.workflowId}-${step}` });
  await handle.executeUpdate(changeAddress, { args: ['Garden Street 12, Lund'], ...id('moved') });
  await expectRefusal(handle.executeUpdate(changeAddress, { args: ['somewhere in Lund'], ...id('vague') }));
  await expectRefusal(handle.executeUpdate(redeemVoucher, { args: ['SPRING-10'], ...id('voucher') }));
  await handle.query(progress, 'the help desk');
  await thank(handle);
}

async function thank(handle: WorkflowHandle): Promise<void> {
  await handle.signal(addNote, 'Please wrap it as a present');
}

async function shop(handle: WorkflowHandle): Promise<void> {
  await handle.executeUpdate(putIntoBasket, { args: ['a desk lamp for Ines Rocha'] });
  await handle.signal(askShop, 'whether the lamp is dimmable');
  await handle.signal(closeBasket, 'please send it to my sister');
}

/** Waits for the repair's task token, with which another process, the workshop, completes the activity. */
const tokenOf = (handle: WorkflowHandle): Promise<Buffer> =>
  until(`${handle.workflowId} has a ticket`, async () => Buffer.from(await handle.query(ticket), 'base64'));

/** Ignores the error for an activity that an earlier, interrupted call has completed. */
function ignoreCompleted(error: unknown): void {
  if (!(error instanceof ActivityNotFoundError)) throw error;
}

async function repairAndCollect(handle: WorkflowHandle, clients: SampleClients): Promise<void> {
  const { activity } = clients.get('envelope-v2');
  const result = 'Repaired the kettle of Goran Petrov';
  await activity.complete(await tokenOf(handle), result).catch(ignoreCompleted);
  await handle.signal(collect, 'The sister of Goran Petrov');
}

/**
 * Fails the activity as a workshop without a codec does, so that Temporal stores a message with personal data
 * in plaintext.
 */
async function failInPlaintext(handle: WorkflowHandle, clients: SampleClients): Promise<void> {
  const message = 'Card 4111 1111 1111 1111 of vera.simic@example.com was declined';
  const failure = ApplicationFailure.nonRetryable(message, 'CardDeclined');
  await clients
    .get('plain')
    .activity.fail(await tokenOf(handle), failure)
    .catch(ignoreCompleted);
}

/** Sends a payload without the codec, so that the dashboard can show its warning about plaintext. */
async function remindInPlaintext(handle: WorkflowHandle, clients: SampleClients): Promise<void> {
  await clients.get('plain').workflow.getHandle(handle.workflowId).signal(remind, 'sent without the codec');
}

async function cancelWaiting(handle: WorkflowHandle): Promise<void> {
  await activityStarted(handle);
  await handle.cancel();
}

/**
 * Terminates a workflow with details, which are payloads. `WorkflowHandle.terminate` takes only a reason, so
 * an interceptor adds the details.
 */
async function terminateWithDetails(handle: WorkflowHandle, clients: SampleClients): Promise<void> {
  await activityStarted(handle);
  const details = [{ by: 'Accounts: the budget of Hanna Berg is closed' }];
  const client = clients.get('envelope-v2', { terminate: (input, next) => next({ ...input, details }) });
  await client.workflow.getHandle(handle.workflowId).terminate('budget closed');
}

/** @throws Error if the workflow accepts the update */
async function expectRefusal(update: Promise<unknown>): Promise<void> {
  try {
    await update;
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) return;
    throw error;
  }
  throw new Error('The workflow accepted an update that it must reject.');
}

/**
 * Waits until an activity is running, so that the cancellation or termination happens during the activity.
 */
async function activityStarted({ client, workflowId }: WorkflowHandle): Promise<void> {
  await until(`an activity of ${workflowId} has started`, async () => {
    const { pendingActivities } = await client.workflowService.describeWorkflowExecution({
      namespace: client.options.namespace,
      execution: { workflowId },
    });
    return pendingActivities?.filter(({ lastStartedTime }) => lastStartedTime) ?? [];
  });
}

/**
 * Waits until a list or a byte array is not empty, and then returns it.
 *
 * @throws Error after 60 s
 */
async function until<T extends { readonly length: number }>(
  what: string,
  read: () => Promise<T>,
): Promise<T> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    const found = await read();
    if (found.length > 0) return found;
    await sleep(100);
  }
  throw new Error(`Timed out after 60 s of waiting until ${what}. Check that a worker is running.`);
}
