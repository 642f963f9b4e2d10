import {
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from './worker.ts';

/** Activities that run at most once: if the first attempt cannot decrypt the input, the workflow fails. */
const once = proxyActivities<Activities>({
  startToCloseTimeout: '60 seconds',
  retry: { maximumAttempts: 1 },
});
const { pack } = proxyActivities<Activities>({
  startToCloseTimeout: '60 seconds',
  heartbeatTimeout: '10 seconds',
});
/** Activities like `repeatable`, but with time limits for a busy machine. */
const steady = proxyActivities<Activities>({
  startToCloseTimeout: '20 seconds',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '5 seconds' },
});
/** Activities for scenarios that kill processes. A killed process's work must run again soon. */
const repeatable = proxyActivities<Activities>({
  startToCloseTimeout: '8 seconds',
  heartbeatTimeout: '4 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '1 second' },
});

/**
 * Has a child workflow, a payment that must not be repeated, a timer, and an activity that sends heartbeats.
 */
export async function shipment(customer: string): Promise<string> {
  const receipt = await once.pay(customer);
  await sleep(300);
  const parcel = await pack(receipt);
  const { workflowId } = workflowInfo();
  return executeChild(handover, { workflowId: `${workflowId}-handover`, args: [parcel] });
}

export async function handover(parcel: string): Promise<string> {
  return once.pay(`handover of ${parcel}`);
}

/** Like `shipment`, but with activities that may run again. */
export async function delivery(customer: string): Promise<string> {
  const receipt = await repeatable.pay(customer);
  await sleep(300);
  return repeatable.pack(receipt);
}

/**
 * Has one activity. The activity may run again, because Temporal's development server loses some tasks under
 * load, even without a codec.
 */
export async function payment(customer: string): Promise<string> {
  return repeatable.pay(customer);
}

const STEPS = 5;

/**
 * Runs for half a minute: payments with timers between them, an activity that sends heartbeats, and a child
 * workflow.
 */
export async function order(customer: string): Promise<string> {
  for (let step = 0; step < STEPS; step += 1) {
    await steady.pay(`${customer}, part ${step}`);
    await sleep('5 seconds');
  }
  const parcel = await steady.pack(customer);
  const { workflowId } = workflowInfo();
  return executeChild(invoice, { workflowId: `${workflowId}-handover`, args: [parcel] });
}

export async function invoice(parcel: string): Promise<string> {
  return steady.pay(`handover of ${parcel}`);
}

export const place = defineQuery<string>('place');
export const move = defineUpdate<string, [string]>('move');
export const arrive = defineSignal('arrive');

/** Handles queries and updates until the signal `arrive`. */
export async function journey(start: string): Promise<string> {
  let at = start;
  let hasArrived = false;
  setHandler(place, () => at);
  setHandler(move, (to) => (at = to));
  setHandler(arrive, () => {
    hasArrived = true;
  });
  await condition(() => hasArrived);
  return at;
}
