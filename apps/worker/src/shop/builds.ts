import { setTimeout as sleep } from 'node:timers/promises';
import { activityInfo, ApplicationFailure } from '@temporalio/activity';
import { SLOW_COURIER, type ShopOrder, shopOrders, type WebOrderInput } from './orders.ts';

/** A release of the shop's worker, and the orders that are placed while it is current. */
export interface ShopBuild {
  readonly buildId: string;
  readonly orders: readonly ShopOrder[];
  /** Returns the amount in cents that a customer pays. */
  readonly amountOf: (cents: number, voucherPercent: number) => number;
}

const RELEASED_AFTER = 24;

export const shopBuilds: readonly ShopBuild[] = [
  {
    buildId: '1.4.0',
    orders: shopOrders.slice(0, RELEASED_AFTER),
    amountOf: (cents, voucherPercent) => Math.round((cents * (100 - voucherPercent)) / 100),
  },
  {
    // This is the bad build: it does not round amounts, so every order with a voucher fails.
    buildId: '1.5.0',
    orders: shopOrders.slice(RELEASED_AFTER),
    amountOf: (cents, voucherPercent) => (cents * (100 - voucherPercent)) / 100,
  },
];

const orderId = () => activityInfo().workflowExecution?.workflowId;

/** Returns a build's activities. */
export const shopActivities = ({ amountOf }: ShopBuild) => ({
  async charge({ customer, cents, voucherPercent, cardExpires }: WebOrderInput): Promise<string> {
    const amount = amountOf(cents, voucherPercent);
    if (!Number.isInteger(amount))
      throw ApplicationFailure.nonRetryable(
        `Order ${orderId()}: ${amount} is not a whole number of cents`,
        'InvalidAmount',
      );
    if (cardExpires < new Date().toISOString().slice(0, 7))
      throw ApplicationFailure.nonRetryable(
        `Order ${orderId()}: the card of ${customer} expired in ${cardExpires}`,
        'CardExpired',
      );
    return `${customer} paid ${(amount / 100).toFixed(2)}`;
  },

  async bringParcel({ customer, address, courier }: WebOrderInput): Promise<string> {
    if (!/\d/.test(address))
      throw ApplicationFailure.nonRetryable(
        `Order ${orderId()}: "${address}" has no number`,
        'NoHouseNumber',
      );
    await sleep(courier === SLOW_COURIER ? 5_000 : 100);
    return `${courier} gave the parcel to ${customer}`;
  },
});
export type ShopActivities = ReturnType<typeof shopActivities>;
