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

/** Runs at most once: if its input cannot be decrypted at the first attempt, its workflow fails. */
const once = proxyActivities<Activities>({
  startToCloseTimeout: '60 seconds',
  retry: { maximumAttempts: 1 },
});
const { pack } = proxyActivities<Activities>({
  startToCloseTimeout: '60 seconds',
  heartbeatTimeout: '10 seconds',
});
/** As `repeatable`, with time limits for a busy machine. */
const steady = proxyActivities<Activities>({
  startToCloseTimeout: '20 seconds',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '5 seconds' },
});
/** For scenarios that kill processes: what a killed process was doing has to run again soon. */
const repeatable = proxyActivities<Activities>({
  startToCloseTimeout: '8 seconds',
  heartbeatTimeout: '4 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '1 second' },
});

/** A child, a payment that must not be repeated, a timer, and an activity that sends heartbeats. */
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

/** As `shipment`, with activities that may run again. */
export async function delivery(customer: string): Promise<string> {
  const receipt = await repeatable.pay(customer);
  await sleep(300);
  return repeatable.pack(receipt);
}

/**
 * One activity, which may run again: under load, Temporal's development server loses some tasks between its database and the
 * worker, also without a codec.
 */
export async function payment(customer: string): Promise<string> {
  return repeatable.pay(customer);
}

const STEPS = 5;

/** For half a minute: payments with timers between them, an activity that sends heartbeats, a child. */
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

/** Answers queries and updates until it arrives. */
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
