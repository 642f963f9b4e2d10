import {
  ActivityFailure,
  ApplicationFailure,
  TimeoutFailure,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities, OrderItem } from '../activities.ts';
import { delivery } from './delivery.ts';

export interface OrderInput {
  readonly customer: string;
  readonly address: string;
  readonly items: readonly OrderItem[];
}

export interface OrderResult {
  readonly message: string;
  readonly receipt: string;
  readonly signature: string;
}

export const addNote = defineSignal<[note: string]>('addNote');
export const progress = defineQuery<string, [askedBy: string]>('progress');
export const changeAddress = defineUpdate<string, [address: string]>('changeAddress');
export const redeemVoucher = defineUpdate<string, [voucher: string]>('redeemVoucher');

const { priceOrder } = proxyLocalActivities<Activities>({ startToCloseTimeout: '10 seconds' });
const { reserveStock, awardPoints, packByHand } = proxyActivities<Activities>({
  startToCloseTimeout: '2 minutes',
  retry: { initialInterval: '200 milliseconds' },
});
const { packByRobot } = proxyActivities<Activities>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '2 seconds',
  retry: { maximumAttempts: 1 },
});

/**
 * Prices, charges, reserves, packs and delivers an order. The customer can change the order before it is
 * packed.
 */
export async function order({ customer, address, items }: OrderInput): Promise<OrderResult> {
  const notes: string[] = [];
  let stage = 'new';
  let destination = address;

  setHandler(addNote, (note) => void notes.push(note));
  setHandler(progress, (askedBy) => `For ${askedBy}: the order of ${customer} is ${stage}`);
  setHandler(
    changeAddress,
    (next) => {
      destination = next;
      return `Parcel for ${customer} now goes to ${next}`;
    },
    {
      validator: (next) => {
        if (stage === 'packed') throw new Error(`${next} comes too late: the parcel is packed`);
        if (!/\d/.test(next)) throw new Error(`${next} has no house number`);
      },
    },
  );
  setHandler(redeemVoucher, (voucher) => {
    throw ApplicationFailure.nonRetryable(`Voucher ${voucher} was spent before`, 'VoucherSpent', { voucher });
  });

  const pay = async () => {
    const { cents } = await priceOrder(customer, items);
    const { chargeCard } = proxyActivities<Activities>({
      startToCloseTimeout: '2 minutes',
      summary: `Charge the card of ${customer}`,
    });
    const paid = await chargeCard({ customer, cents });
    if (patched('loyalty-points')) await awardPoints(customer, cents);
    await reserveStock(customer, items);
    stage = 'paid';
    upsertMemo({ stage: `${customer} has paid` });
    return paid;
  };
  const [receipt] = await Promise.all([
    pay(),
    // The timer's summary is also a payload, which Temporal's Web UI shows instead of "Timer".
    condition(() => notes.length > 0, '8 seconds', { summary: `Wait for a note from ${customer}` }),
  ]);

  await pack(customer, items);
  stage = 'packed';
  const proof = await executeChild(delivery, {
    workflowId: `${workflowInfo().workflowId}-delivery`,
    args: [{ customer, address: destination }],
    memo: { label: `Fragile: parcel of ${customer}` },
    staticSummary: `Bring the parcel to ${customer}`,
    staticDetails: `Ring twice at ${customer}'s door`,
  });
  return { message: `Delivered to ${customer}, notes: ${notes.length}`, receipt, signature: proof.signature };
}

/**
 * Packs by robot. If the robot fails, packs the remaining items by hand. The robot's last heartbeat reports
 * the packed items.
 */
async function pack(customer: string, items: OrderInput['items']): Promise<void> {
  try {
    await packByRobot(customer, items);
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    const last = error.cause instanceof TimeoutFailure ? error.cause.lastHeartbeatDetails : undefined;
    await packByHand(customer, items, last);
  }
}
