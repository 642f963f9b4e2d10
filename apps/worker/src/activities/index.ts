import { waitForApprover, withdrawRequest } from './approvals.ts';
import { handOver, locateCourier } from './couriers.ts';
import { authorizeCard, awardPoints, chargeCard, priceOrder, transferFunds } from './payments.ts';
import { countShelf, packByHand, packByRobot, reserveStock } from './stock.ts';

/** What the worker registers, by activity type. */
export const activities = {
  authorizeCard,
  awardPoints,
  chargeCard,
  countShelf,
  handOver,
  locateCourier,
  packByHand,
  packByRobot,
  priceOrder,
  reserveStock,
  transferFunds,
  waitForApprover,
  withdrawRequest,
};
export type Activities = typeof activities;
export type { Handover } from './couriers.ts';
export type { OrderItem } from './stock.ts';
