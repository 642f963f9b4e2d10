import {
  condition,
  defineQuery,
  defineSignal,
  executeChild,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import type { Activities } from './activities.ts';

const { pay, refund } = proxyActivities<Activities>({
  startToCloseTimeout: '20s',
  retry: { maximumAttempts: 1 },
});
const { pack } = proxyActivities<Activities>({
  startToCloseTimeout: '20s',
  retry: { initialInterval: '1s', backoffCoefficient: 1 },
});
const { weigh } = proxyLocalActivities<Activities>({ startToCloseTimeout: '20s' });

export const addNote = defineSignal<[string]>('addNote');
export const notes = defineQuery<string[]>('notes');

/**
 * Takes several steps before a move: a payment, a local activity, a patch and the first note. While the
 * workers are replaced, a timer runs and the packing is retried. The second note, after the move, lets the
 * order complete.
 */
export async function order(customer: string): Promise<string[]> {
  const taken: string[] = [];
  setHandler(addNote, (note) => void taken.push(note));
  setHandler(notes, () => taken);
  const paid = await pay(customer);
  const weighed = patched('weigh-parcels') ? await weigh(customer) : `not weighed for ${customer}`;
  const [packed] = await Promise.all([pack(customer), sleep('2s'), condition(() => taken.length > 1)]);
  const shipped = patched('ship-parcels')
    ? await executeChild(shipment, { args: [customer] })
    : 'not shipped';
  const refused: string = await refund(customer).catch(causeOf);
  return [paid, weighed, packed, ...taken, shipped, refused];
}

export async function shipment(customer: string): Promise<string> {
  return `shipped to ${customer}`;
}

/** Returns a report of its input. A schedule starts this workflow. */
export async function report(shop: string): Promise<string> {
  return `report of ${shop}`;
}

const causeOf = ({ cause }: Error): string => (cause instanceof Error ? cause.message : '');
